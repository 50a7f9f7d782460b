//! The calls of the workload. A call has one moment: the one at which the stage, which is its caller, hands it over. What the host does
//! about it comes later, or never, if it goes down before.

use squall_live::Request;
use squall_nodes::{Protocol, Time};
use squall_sim::live::whom;

use super::Play;
use crate::audience::Sight;
use crate::clock;
use crate::host::Power;

impl<P: Protocol> Play<'_, '_, P> {
    /// A call of the workload, which was to be made at `planned`. As in the simulator, nobody calls a host that is down, and one that is paused finds it when it goes on; a
    /// host that does not live to answer leaves the call open.
    pub(super) fn call(&mut self, entry: usize, nth: u64, planned: Time) {
        let plan = self.plan;
        let work = &plan.workload[entry];
        self.look_at_lateness(&format!("the call {}", work.label), clock::now(), planned);
        let host = whom(self.seed, entry, work, nth);
        if self.crew.host(host).power == Power::Off {
            return;
        }
        let (call, command) = (self.next_call, work.command.clone());
        self.next_call += 1;
        self.calls[entry] += 1;
        // Before it is written: nothing that comes of it can be earlier.
        let sight = Sight::Call {
            host,
            call,
            command: command.clone(),
        };
        self.merge.put(clock::now(), sight);
        self.crew.host(host).ask(&Request::Call { call, command });
    }
}
