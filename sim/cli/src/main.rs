//! The `squall` program: every command, for every protocol of the house.

use squall_nodes::counter::Counter;
use squall_nodes::echo::Echo;
use squall_nodes::hac::Hac;
use squall_nodes::leader::Leader;
use squall_nodes::refinery::Refinery;

fn main() -> std::process::ExitCode {
    squall::App::new()
        .protocol::<Echo>()
        .protocol::<Hac>()
        .protocol::<Counter>()
        .protocol::<Leader>()
        .protocol::<Refinery>()
        .main()
}
