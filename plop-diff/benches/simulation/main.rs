//! How often `plop diff` is wrong, and what it finds, on programs whose truth is known.
//!
//! Three random programs of 500 stacks, about 180 functions and 6 kinds of requests are sampled under three kinds
//! of noise: `iid` samples independent of each other; `sticky` requests of ten samples on average, in which the
//! same stack comes again every other time; `run` the same, and from run to run the mix of requests (Dirichlet,
//! 2,000) and the cost of each function (log-normal, 2 %) differ. Prints rows of Markdown for bench/RESULTS.md.
//!
//! ```sh
//! cargo bench -p plop-diff --bench simulation -- alarms 2000 iid-3k sticky-3k run-3k iid-300k sticky-300k run-300k
//! cargo bench -p plop-diff --bench simulation -- power 48 iid-300k iid-300k:calibrated iid-300k:history
//! cargo bench -p plop-diff --bench simulation -- injections 120 sticky-300k run-300k
//! cargo bench -p plop-diff --bench simulation -- shifts 120 sticky-300k run-300k
//! cargo bench -p plop-diff --bench simulation -- churn 300 iid-3k sticky-3k run-3k
//! cargo bench -p plop-diff --bench simulation -- peers 1000 run-3k
//! cargo bench -p plop-diff --bench simulation -- fixed-work 120 0.01
//! cargo bench -p plop-diff --bench simulation -- series 400 sticky-30k run-30k
//! ```
//!
//! A cell is a noise, a number of samples a run (`30k/3k`: of each run before and after), and what is compared: `:plain` one run with one, which is meant
//! when nothing is said; `:calibrated` the same after `plop calibrate` of eight other runs; `:history` eight runs
//! before with one; `:replicates` eight with eight. With `:touched` behind it the comparison is told of five functions
//! that they were touched, the guilty one among them; with `:elsewhere` of five by chance.

mod alarms;
mod cell;
mod churn;
mod fixed_work;
mod injections;
mod oracle;
mod peers;
mod power;
mod probit;
mod program;
mod random;
mod series;
mod shifts;
mod truth;

use std::path::Path;

use cell::Cell;

const USAGE: &str = "\
usage: simulation alarms|power|injections|shifts|churn|peers COUNT CELL...
       simulation fixed-work COUNT ALPHA [FOLDER]
       simulation series COUNT CELL... [FOLDER]";

fn main() {
    let words: Vec<String> = (std::env::args().skip(1))
        .filter(|word| word != "--bench")
        .collect();
    let [what, count, rest @ ..] = &words[..] else {
        println!("{USAGE}");
        return;
    };
    let count: usize = count.parse().expect(USAGE);
    let each = |head: &str, run: &dyn Fn(Cell, usize)| {
        println!("{head}");
        for text in rest {
            run(Cell::parse(text).expect(USAGE), count);
        }
    };
    match what.as_str() {
        "alarms" => each(alarms::HEAD, &alarms::alarms),
        "power" => each(power::HEAD, &power::power),
        "injections" => each(injections::HEAD, &injections::injections),
        "shifts" => each(shifts::HEAD, &shifts::shifts),
        "churn" => each(churn::HEAD, &churn::churn),
        "peers" => each(peers::HEAD, &peers::peers),
        "series" => {
            let cells = rest.iter().map_while(|text| Cell::parse(text)).count();
            let folder = rest.get(cells).map(Path::new);
            println!("{}", series::HEAD);
            for text in &rest[..cells] {
                series::series(Cell::parse(text).expect(USAGE), count, folder);
            }
        }
        "fixed-work" => {
            let [alpha, rest @ ..] = rest else {
                return println!("{USAGE}");
            };
            let alpha = alpha.parse().expect(USAGE);
            fixed_work::fixed_work(count, alpha, rest.first().map(Path::new));
        }
        _ => println!("{USAGE}"),
    }
}
