//! Does a job now and then, and says so: it counts the primes below a bound that grows.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let pause = env::var("WORKER_PAUSE_MS").unwrap_or_else(|_| "3000".to_owned());
    let Ok(pause) = pause.parse().map(Duration::from_millis) else {
        eprintln!("WORKER_PAUSE_MS `{pause}` is not a number of milliseconds");
        return ExitCode::FAILURE;
    };
    for job in 1.. {
        let bound = 100_000 * (job % 10 + 1);
        let start = Instant::now();
        let primes = primes_below(bound);
        let millis = start.elapsed().as_millis();
        // A reader that has gone away ends the program, without a panic.
        if writeln!(io::stdout(), "job {job}: {primes} primes below {bound}, {millis} ms").is_err()
        {
            break;
        }
        thread::sleep(pause);
    }
    ExitCode::SUCCESS
}

/// Counts by the sieve of Eratosthenes.
fn primes_below(bound: usize) -> usize {
    let mut composite = vec![false; bound];
    let mut count = 0;
    for number in 2..bound {
        if !composite[number] {
            count += 1;
            (number * number..bound)
                .step_by(number)
                .for_each(|multiple| composite[multiple] = true);
        }
    }
    count
}
