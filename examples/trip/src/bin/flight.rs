fn main() -> anyhow::Result<()> {
    trip::main(trip::flight::Flight)
}
