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
    #[command(flatten)]
    personal: personal_data::Settings,
}

fn main() -> anyhow::Result<()> {
    saga::main_with::<Notification, Args, _>(run)
}

async fn run(args: Args) -> anyhow::Result<()> {
    // What is missing is told before anything starts; the transport of the program is opened with it.
    let vault = args.personal.open(&args.saga.security.open()?)?;
    let service = Notification::new(&args.post.mail_domain).sealing(vault.clone());
    let program = saga::Program::new(service, args.saga, &MIGRATIONS)?.grants(GRANTS);
    let post = Post::new(args.post, program.transport())?.opening(vault);
    program.outside(post, args.retry).run().await
}
