//! The client of `scripts/cross-talk` and `scripts/soak`: many connections that ask, write and vanish,
//! while connections of the pooler are killed. Every query has a token of its own and checks that the
//! answer is its own. At the end, what the server has is compared with what clients were told.
//!
//! - [`options`]: the command line; [`load`]: the clients together
//! - [`work`]: what one client does; [`visit`]: one unit of work
//! - [`ledger`]: what was asked, answered and lost; it judges no answer but its token
//! - [`killer`]: ends connections at the server; [`relay`]: cuts them on the way there
//! - [`audit`]: what the server has in the end

mod audit;
mod killer;
mod ledger;
mod load;
mod options;
mod relay;
mod visit;
mod work;

use anyhow::Result;
use clap::Parser;

use crate::options::Command;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    match Command::parse() {
        Command::Load(options) => {
            let outcome = load::run(*options).await?;
            println!("{}", serde_json::to_string(&outcome)?);
            Ok(())
        }
        Command::Relay(options) => relay::run(options).await,
    }
}
