//! How the bounds of `tests/truth/queues.rs` were found: sequences of datagrams are drawn from the theory itself, with another
//! generator than the engine's and no code of it, and what the tests of the engine look at is counted.
//!
//! ```sh
//! cargo run --release -p squall-sim --example queue_bounds            # some minutes
//! ```
//!
//! For each kind it prints how many statistics lie beyond the bound, and the farthest; the numbers are the same on every machine.

fn main() {
    println!("{SEQUENCES} sequences of {DATAGRAMS} datagrams each");
    for (rho, bound) in [(0.3, BOUND), (0.6, BOUND), (0.85, BUSY_BOUND)] {
        let mean = rho / (2.0 * (1.0 - rho));
        let [waits, idle] = calibrate(
            rho,
            None,
            [|wait| wait.unwrap_or(0.0), is_idle],
            [mean, 1.0 - rho],
        );
        waits.print(&format!("waits, rho {rho}"), bound);
        idle.print(&format!("idle, rho {rho}"), BOUND);
    }
    for (rho, capacity) in [(0.7, 1), (0.9, 3), (1.2, 5)] {
        let [drops] = calibrate(rho, Some(capacity), [is_dropped], [dropped(rho, capacity)]);
        drops.print(&format!("drops, rho {rho}, {capacity} places"), BOUND);
    }
}

/// How many sequences of each kind are drawn.
const SEQUENCES: u64 = 100_000;
/// How many datagrams the tests send, and their bounds.
const DATAGRAMS: u64 = 25_000;
const BOUND: f64 = 4.9;
const BUSY_BOUND: f64 = 6.3;

/// What is asked of a datagram: how long it waited, in times of service, or that it was dropped.
type Asked = fn(Option<f64>) -> f64;

fn is_idle(wait: Option<f64>) -> f64 {
    f64::from(u8::from(wait == Some(0.0)))
}

fn is_dropped(wait: Option<f64>) -> f64 {
    f64::from(u8::from(wait.is_none()))
}

/// The statistics of many sequences.
struct Distances(Vec<f64>);

impl Distances {
    fn print(&self, of: &str, bound: f64) {
        let beyond = self.0.iter().filter(|z| z.abs() > bound).count();
        let farthest = self.0.iter().fold(0.0, |far: f64, z| far.max(z.abs()));
        println!("{of}: {beyond} beyond {bound}, the farthest at {farthest:.2}");
    }
}

/// Draws sequences and takes, for each thing that is asked, the distance of its mean from what it should be.
fn calibrate<const N: usize>(
    rho: f64,
    capacity: Option<i32>,
    asked: [Asked; N],
    means: [f64; N],
) -> [Distances; N] {
    let mut all = [const { Vec::new() }; N];
    for sequence in 0..SEQUENCES {
        let mut draws = SplitMix(sequence << 32);
        let mut sums = [const { Cycles::NONE }; N];
        // When the link will be free, counted from the arrival; the first finds it so.
        let mut busy = 0.0;
        for _ in 0..DATAGRAMS {
            // Whoever is in service or waits takes a time of service each, the first what is left of one.
            let is_full = capacity.is_some_and(|capacity| libm::ceil(busy) >= f64::from(capacity));
            let wait = (!is_full).then_some(busy);
            for ((sums, asked), mean) in sums.iter_mut().zip(asked).zip(means) {
                if wait == Some(0.0) {
                    sums.end();
                }
                sums.cycle += asked(wait) - mean;
            }
            if !is_full {
                busy += 1.0;
            }
            busy = f64::max(0.0, busy - draws.exponential() / rho);
        }
        for (all, sums) in all.iter_mut().zip(sums) {
            all.push(sums.distance());
        }
    }
    all.map(Distances)
}

/// The sums of cycles: what they and their squares come to. The first end is that of none, and the last cycle has none.
struct Cycles {
    cycle: f64,
    sum: f64,
    squares: f64,
}

impl Cycles {
    const NONE: Cycles = Cycles {
        cycle: 0.0,
        sum: 0.0,
        squares: 0.0,
    };

    fn end(&mut self) {
        self.sum += self.cycle;
        self.squares += self.cycle * self.cycle;
        self.cycle = 0.0;
    }

    /// How far their mean is from zero, in its own deviations, as the tests have it.
    fn distance(&self) -> f64 {
        self.sum / libm::sqrt(self.squares)
    }
}

/// The share that an M/D/1/K queue drops, as the tests have it.
fn dropped(rho: f64, capacity: i32) -> f64 {
    let (mut factorial, mut sum) = (1.0, 0.0);
    let n = capacity - 1;
    for k in 0..=n {
        factorial *= f64::from(k.max(1));
        let rest = f64::from(n - k);
        let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
        sum += sign / factorial
            * libm::pow(rest, f64::from(k))
            * libm::exp(rest * rho)
            * libm::pow(rho, f64::from(k));
    }
    1.0 - sum / (1.0 + rho * sum)
}

/// SplitMix64: G. L. Steele, D. Lea and C. H. Flood, *OOPSLA* (2014), 453–472.
struct SplitMix(u64);

impl SplitMix {
    /// An exponential number with a mean of 1.
    fn exponential(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let word = z ^ (z >> 31);
        // In (0, 1].
        let unit = ((word >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        -libm::log(unit)
    }
}
