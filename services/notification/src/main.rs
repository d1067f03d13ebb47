use clap::Parser;
use kit::attempts::RetryPolicy;
use notification::{
    MIGRATIONS, Notification,
    post::{Post, PostConfig},
};

/// The notification service: tells the buyer by mail how the order ended.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    kit: kit::config::Config,
    #[command(flatten)]
    post: PostConfig,
    #[command(flatten)]
    retry: RetryPolicy,
}

fn main() -> anyhow::Result<()> {
    kit::main(run(Args::parse()))
}

async fn run(args: Args) -> anyhow::Result<()> {
    let service = Notification::new(&args.post.mail_domain);
    let program = kit::Program::new(service, args.kit, &MIGRATIONS)?;
    program.outside(Post::new(args.post)?, args.retry).run().await
}
