fn main() -> anyhow::Result<()> {
    trip::main(trip::hotel::Hotel)
}
