fn main() -> anyhow::Result<()> {
    trip::main(trip::car::Car)
}
