//! Scenario files.
use crate::plan::Plan;
use squall_nodes::Protocol;
/// placeholder
pub struct ScenarioFile;
/// placeholder
pub struct Complaints;
impl ScenarioFile {
    /// x
    pub fn seed(&self) -> u64 {
        0
    }
}
/// placeholder
pub fn resolve<P: Protocol>(_f: &ScenarioFile, _r: &'static str) -> Result<Plan<P>, Complaints> {
    Err(Complaints)
}
