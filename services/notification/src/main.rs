use clap::Parser;
use notification::{
    GRANTS, MIGRATIONS, Notification,
    post::{Post, PostConfig},
};
use saga::attempts::RetryPolicy;

/// The notification service: informs the buyer by mail how the order ended.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    saga: saga::config::Config,
    #[command(flatten)]
    post: PostConfig,
    #[command(flatten)]
    retry: RetryPolicy,
}

fn main() -> anyhow::Result<()> {
    saga::main_with::<Notification, Args, _>(run)
}

async fn run(args: Args) -> anyhow::Result<()> {
    let service = Notification::new(&args.post.mail_domain);
    let program = saga::Program::new(service, args.saga, &MIGRATIONS)?.grants(GRANTS);
    let post = Post::new(args.post, program.transport())?;
    program.outside(post, args.retry).run().await
}
