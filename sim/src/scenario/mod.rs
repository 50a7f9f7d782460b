//! Scenario files.

mod cast;
mod complaint;
mod desk;
mod file;
mod history;
mod network;
pub mod places;
mod promises;
mod resolve;
mod settings;
mod timeline;
mod workload;

pub use cast::{MOST_HOSTS, MOST_NAMED};
pub use complaint::{Complaint, Complaints, Place, Style};
pub use file::{FORMAT, Flaw, LARGEST, ScenarioFile};
pub use network::MOST_LINKS;
pub use resolve::resolve;
pub use timeline::{MOST_ENTRIES, MOST_TIMES, SHORTEST_INTERVAL};
