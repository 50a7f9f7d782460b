//! From the cut that a plan names to the links that it cuts.

use squall_nodes::{Cut, HostId};

use crate::plan::{CutPlan, Target};

impl CutPlan {
    /// How few hosts a ring may have in which each reaches so many neighbours on either side: with fewer, everyone in it reaches
    /// everyone.
    pub(crate) fn smallest_ring(reach: u32) -> u64 {
        2 * u64::from(reach) + 2
    }

    /// Whether it is a ring of fewer hosts than that because `actor`, who did what triggered it, is named in it besides.
    pub fn is_no_ring(&self, actor: Option<HostId>) -> bool {
        let CutPlan::Ring { hosts, reach } = self else {
            return false;
        };
        // Of hosts alone, files have no smaller one, and plans may.
        if !hosts.contains(&Target::Actor) {
            return false;
        }
        let mut ring: Vec<HostId> = hosts.iter().filter_map(|target| target.host(actor)).collect();
        ring.sort_unstable();
        ring.dedup();
        (ring.len() as u64) < CutPlan::smallest_ring(*reach)
    }

    /// The cut for a world of so many hosts, where `actor` did what triggered it; without one, who did it is nobody.
    pub fn resolve(&self, hosts: usize, actor: Option<HostId>) -> Cut {
        let meant = |who: &[Target]| -> Vec<usize> {
            let host = |target: &Target| match target {
                Target::Host(host) => Some(host.index()),
                Target::Actor => actor.map(HostId::index),
            };
            who.iter().filter_map(host).collect()
        };
        // Those whom no side names form one more.
        let sides = |sides: &[Vec<Target>]| {
            let mut side_of = vec![sides.len() as u32; hosts];
            for (side, members) in (0..).zip(sides) {
                for member in meant(members) {
                    side_of[member] = side;
                }
            }
            side_of
        };
        match self {
            CutPlan::Partition(groups) => Cut::Groups(sides(groups)),
            CutPlan::OneWay { from, to } => {
                let marked = |who: &[Target]| {
                    let mut marks = vec![false; hosts];
                    for host in meant(who) {
                        marks[host] = true;
                    }
                    marks
                };
                Cut::OneWay {
                    from: marked(from),
                    to: marked(to),
                }
            }
            CutPlan::Bridge { over, sides: named } => {
                let mut side_of = sides(named);
                for host in meant(over) {
                    side_of[host] = Cut::BRIDGE;
                }
                Cut::Bridge(side_of)
            }
            CutPlan::Ring { hosts: ring, reach } => {
                let mut place = vec![Cut::OUTSIDE; hosts];
                let mut len = 0;
                for host in meant(ring) {
                    // Who did it may be named besides: nobody is in a ring twice.
                    if place[host] == Cut::OUTSIDE {
                        place[host] = len;
                        len += 1;
                    }
                }
                Cut::Ring {
                    place,
                    len,
                    reach: *reach,
                }
            }
        }
    }
}
