//! A long run of a target over seeds: several child processes at a time, a line of progress, findings minimised
//! and written down, and at the end which rules fired how often and which never did.
//!
//! A plan is `TARGET:FROM..TO` (seeds) or `TARGET:90m` (processor time of the children: `s`, `m`, `h`), the latter
//! followed by `@FROM` if it should not begin at seed 0.

use crate::child::{self, End};
use crate::minimise;
use crate::worker::{self, Replay, Target};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The number of seeds of one child.
const BATCH: u64 = 250;

/// The time after which a seed is taken to hang. An emulator (`.ci/aarch64` says that there is one) has more.
fn patience() -> Duration {
    match std::env::var_os("SKERRY_EMULATED") {
        None => Duration::from_secs(60),
        Some(_) => Duration::from_secs(600),
    }
}

/// Time between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(15);

/// The number of seeds on which the references differ that are printed. A file has all of them.
const SHOWN: usize = 20;

/// What to run, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The target to run.
    pub target: Target,
    /// The seeds to run.
    pub seeds: Range<u64>,
    /// The processor time to spend, in microseconds.
    pub budget: Option<u64>,
    /// The number of children that run at the same time.
    pub jobs: usize,
    /// The folder in which findings are written.
    pub folder: PathBuf,
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    ///
    /// A message that shows the form of a plan.
    pub fn parse(text: &str, jobs: usize, folder: PathBuf) -> Result<Plan, String> {
        let usage =
            || format!("{text:?} is not a plan: TARGET:FROM..TO, TARGET:90m or TARGET:2h@FROM");
        let (name, extent) = text.split_once(':').ok_or_else(usage)?;
        let target = Target::named(name).ok_or_else(|| format!("there is no target {name:?}"))?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| usage());
        let (seeds, budget) = if let Some((from, to)) = extent.split_once("..") {
            (number(from)?..number(to)?, None)
        } else {
            let (time, from) = extent.split_once('@').unwrap_or((extent, "0"));
            let unit = time.chars().last().ok_or_else(usage)?;
            let seconds = match unit {
                's' => 1,
                'm' => 60,
                'h' => 3600,
                _ => return Err(usage()),
            };
            let count = number(&time[..time.len() - 1])?;
            let budget = count.checked_mul(seconds * 1_000_000);
            let budget =
                budget.ok_or_else(|| format!("{text:?}: so much time cannot be counted"))?;
            (number(from)?..u64::MAX, Some(budget))
        };
        if seeds.is_empty() || budget == Some(0) {
            return Err(format!("{text:?} runs no seed"));
        }
        Ok(Plan {
            target,
            seeds,
            budget,
            jobs: jobs.max(1),
            folder,
        })
    }
}

/// The result of a run.
#[derive(Debug, Default)]
pub struct Summary {
    /// The sums of the children's counts.
    pub counts: BTreeMap<String, u64>,
    /// The seeds with a finding, each with a description of it.
    pub findings: BTreeMap<u64, String>,
    /// The seeds on which the references differ and Skerry agrees with one of them.
    pub differing: BTreeMap<u64, String>,
}

impl Summary {
    fn count(&self, key: &str) -> u64 {
        self.counts.get(key).copied().unwrap_or(0)
    }

    /// The reason why the run is not a pass: findings, seeds that were not run, or too little that was compared.
    pub fn wrong(&self, plan: &Plan) -> Option<String> {
        if !self.findings.is_empty() {
            return Some(format!("{} findings", self.findings.len()));
        }
        let (seeds, planned) = (self.count("seeds"), plan.seeds.end - plan.seeds.start);
        if seeds == 0 || (plan.budget.is_none() && seeds != planned) {
            return Some(format!("{seeds} seeds were run, {planned} were planned"));
        }
        if plan.target == Target::Differential {
            let (agreed, modules) = (self.count("agreed"), self.count("modules"));
            let compared = agreed + self.differing.len() as u64;
            if modules * 4 < seeds * 3 || compared * 20 < modules * 19 {
                return Some(format!(
                    "{seeds} seeds made {modules} modules, of which {compared} were compared: too few"
                ));
            }
        }
        None
    }

    fn line(&self, since: Instant) -> String {
        let cpu = self.count("cpu_us") as f64 / 1e6;
        let modules = self.count("modules").max(self.count("seeds"));
        format!(
            "{:.0} s, {cpu:.0} s of processor: {} seeds, {} modules, {} calls, {:.1} modules/s of processor; \
             agreed {}, exhausted {}, skipped {}, references differ {}, findings {}",
            since.elapsed().as_secs_f64(),
            self.count("seeds"),
            self.count("modules"),
            self.count("calls"),
            modules as f64 / cpu.max(1e-9),
            self.count("agreed"),
            self.count("exhausted"),
            self.count("skipped"),
            self.differing.len(),
            self.findings.len(),
        )
    }

    /// The rules with the number of times that each fired, the rarest first, and those that never did.
    pub fn rules(&self) -> String {
        let known = skerry_compiler::rule_names(skerry_compiler::Target::host());
        let mut fired: Vec<(u64, &str)> = known
            .iter()
            .map(|name| (self.count(&format!("rule:{name}")), *name))
            .collect();
        fired.sort();
        let never: Vec<&str> = fired
            .iter()
            .filter(|rule| rule.0 == 0)
            .map(|rule| rule.1)
            .collect();
        let mut text = format!(
            "{} of {} rules fired\n",
            known.len() - never.len(),
            known.len()
        );
        for (count, name) in fired.iter().filter(|rule| rule.0 > 0) {
            text += &format!("{count:10} {name}\n");
        }
        text + &format!("never: {}\n", never.join(" "))
    }
}

/// Runs the plan; prints progress, findings, and the summary.
///
/// # Errors
///
/// When processes cannot be started or findings cannot be written.
pub fn run(plan: &Plan) -> std::io::Result<Summary> {
    std::fs::create_dir_all(&plan.folder)?;
    let summary = Mutex::new(Summary::default());
    let next = AtomicU64::new(plan.seeds.start);
    let start = Instant::now();
    std::thread::scope(|scope| {
        let jobs: Vec<_> = (0..plan.jobs)
            .map(|_| scope.spawn(|| job(plan, &next, &summary)))
            .collect();
        let mut shown = Instant::now();
        while jobs.iter().any(|job| !job.is_finished()) {
            std::thread::sleep(Duration::from_millis(100));
            if shown.elapsed() > PROGRESS {
                shown = Instant::now();
                println!("{}", lock(&summary).line(start));
            }
        }
        let ended = jobs
            .into_iter()
            .map(|job| job.join().expect("a job does not panic"));
        ended.collect::<std::io::Result<()>>()
    })?;
    let summary = summary.into_inner().expect("a job does not panic");
    println!(
        "{} {}: {}",
        plan.target.name(),
        extent(plan),
        summary.line(start)
    );
    for (seed, how) in summary.differing.iter().take(SHOWN) {
        println!("  references differ on {seed}: {how}");
    }
    if summary.differing.len() > SHOWN {
        let all = summary.differing.iter();
        let lines: String = all.map(|(seed, how)| format!("{seed}: {how}\n")).collect();
        let file = plan.folder.join("differ.txt");
        std::fs::write(&file, lines)?;
        println!("  .. all of them: {}", file.display());
    }
    for (seed, what) in &summary.findings {
        println!("  FINDING {seed}: {what}");
    }
    if plan.target == Target::Differential {
        let rules = summary.rules();
        let file = plan.folder.join("rules.txt");
        std::fs::write(&file, &rules)?;
        let ends = [rules.lines().next(), rules.lines().last()];
        ends.into_iter()
            .flatten()
            .for_each(|line| println!("{line}"));
        println!(
            "(1 module in 4 is counted; how often each: {})",
            file.display()
        );
    }
    Ok(summary)
}

fn extent(plan: &Plan) -> String {
    match plan.budget {
        Some(budget) => format!("{} s from seed {}", budget / 1_000_000, plan.seeds.start),
        None => format!("{}..{}", plan.seeds.start, plan.seeds.end),
    }
}

fn lock(summary: &Mutex<Summary>) -> MutexGuard<'_, Summary> {
    summary.lock().expect("a job does not panic")
}

/// Runs batch after batch until the plan is done.
fn job(plan: &Plan, next: &AtomicU64, summary: &Mutex<Summary>) -> std::io::Result<()> {
    loop {
        let spent = lock(summary).count("cpu_us");
        let from = next.fetch_add(BATCH, Ordering::Relaxed);
        if from >= plan.seeds.end || plan.budget.is_some_and(|budget| spent >= budget) {
            return Ok(());
        }
        let to = plan.seeds.end.min(from.saturating_add(BATCH));
        batch(plan, from..to, summary)?;
    }
}

/// Runs a range of seeds. If a child dies, another one runs the rest.
fn batch(plan: &Plan, mut seeds: Range<u64>, summary: &Mutex<Summary>) -> std::io::Result<()> {
    while !seeds.is_empty() {
        let task = format!("{}:{}..{}", plan.target.name(), seeds.start, seeds.end);
        let (mut current, mut began, mut found) = (seeds.start, false, Vec::new());
        let end = child::run(&task, patience(), |line| {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let (seed, text) = rest.split_once(' ').unwrap_or((rest, ""));
            match word {
                "seed" => {
                    began = true;
                    current = seed.parse().unwrap_or(current);
                }
                "finding" => found.push((current, text.to_owned())),
                "differ" => {
                    let mut summary = lock(summary);
                    summary.differing.insert(current, text.to_owned());
                }
                "tally" => add(&mut lock(summary).counts, rest),
                _ => {}
            }
        })?;
        match end {
            End::Well if !began => {
                let program = "a child process ran no seed: is its test still named `child`?";
                return Err(std::io::Error::other(program));
            }
            End::Well => seeds.start = seeds.end,
            End::Died(status) => found.push((current, format!("the process died: {status}"))),
            End::Silent => found.push((current, format!("no end within {:?}", patience()))),
        }
        if seeds.start != seeds.end {
            seeds.start = current + 1;
        }
        for (seed, what) in found {
            let file = match plan.target {
                Target::Differential => minimise::write(seed, &what, &plan.folder)?,
                Target::Validate => minimise::write_bytes(seed, &what, &plan.folder)?,
            };
            println!("FINDING {seed}: {what}\n  {}", file.display());
            lock(summary).findings.insert(seed, what);
        }
    }
    Ok(())
}

/// Adds `KEY=COUNT ..`.
fn add(counts: &mut BTreeMap<String, u64>, tally: &str) {
    for word in tally.split_whitespace() {
        if let Some((key, count)) = word.rsplit_once('=') {
            *counts.entry(key.to_owned()).or_insert(0) += count.parse::<u64>().unwrap_or(0);
        }
    }
}

/// Does the work of a child, which is the other side of [`child::run`].
///
/// # Panics
///
/// If the task is malformed, which is a bug, since the parent is this program too.
pub fn child(task: &str) {
    if let Some(file) = task.strip_prefix("replay:") {
        let said = minimise::replay_file(file.as_ref()).expect("the parent wrote the file");
        if let Replay::Wrong(said) = said {
            println!("\n{}finding 0 {}", worker::MARK, worker::one_line(&said));
        }
        return;
    }
    let plan = Plan::parse(task, 1, PathBuf::new()).expect("the parent's plan is well-formed");
    worker::work(plan.target, plan.seeds);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_read() {
        let plan = |text| Plan::parse(text, 2, PathBuf::from("findings"));
        let seeds = plan("validate:5..10").expect("a range is a plan");
        assert_eq!((seeds.seeds, seeds.budget), (5..10, None));
        let hours = plan("differential:2h@7").expect("hours are a plan");
        assert_eq!((hours.seeds.start, hours.budget), (7, Some(7_200_000_000)));
        for wrong in [
            "validate",
            "nothing:1..2",
            "validate:1..x",
            "validate:5d",
            "validate:",
        ] {
            assert!(plan(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_plan_runs_something_and_its_time_can_be_counted() {
        let error = |text| Plan::parse(text, 2, PathBuf::new()).unwrap_err();
        for empty in [
            "differential:10..5",
            "validate:5..5",
            "validate:0m",
            "validate:1s@18446744073709551615",
        ] {
            assert_eq!(error(empty), format!("{empty:?} runs no seed"));
        }
        let long = error("validate:18446744073709551615h");
        assert!(long.ends_with("cannot be counted"), "{long}");
    }

    #[test]
    fn a_run_that_compared_too_little_is_no_pass() {
        let plan = Plan::parse("differential:0..100", 1, PathBuf::new()).expect("a plan");
        let with = |tally| {
            let mut summary = Summary::default();
            add(&mut summary.counts, tally);
            summary
        };
        assert_eq!(with("seeds=100 modules=99 agreed=98").wrong(&plan), None);
        for (tally, reason) in [
            ("", "0 seeds were run, 100 were planned"),
            ("seeds=99 modules=99 agreed=99", "99 seeds were run"),
            (
                "seeds=100 modules=10 agreed=10",
                "100 seeds made 10 modules",
            ),
            (
                "seeds=100 modules=99 agreed=50 exhausted=49",
                "of which 50 were compared",
            ),
        ] {
            let wrong = with(tally).wrong(&plan).expect(tally);
            assert!(wrong.contains(reason), "{wrong}");
        }
        let mut summary = with("seeds=100 modules=100 agreed=99");
        summary.findings.insert(7, "wrong".to_owned());
        assert_eq!(summary.wrong(&plan).as_deref(), Some("1 findings"));
    }

    #[test]
    fn tallies_add_up_and_rules_are_listed() {
        let mut summary = Summary::default();
        add(&mut summary.counts, "seeds=3 rule:iadd_lea=2");
        add(&mut summary.counts, "seeds=4");
        assert_eq!(summary.count("seeds"), 7);
        let rules = summary.rules();
        assert!(
            rules.starts_with("1 of ") && rules.contains("2 iadd_lea"),
            "{rules}"
        );
        assert!(!rules.contains("never: \n"), "{rules}");
    }
}
