//! Reading a realistic page of 10 MB of which 1 % of the series are wanted: prometheus-parse and
//! ours, cold and warm, in one run. `cargo bench --bench exposition`

use quarterdeck::clock::{Clock, SystemClock};
use quarterdeck::domain::series::labels::NAME;
use quarterdeck::domain::series::{Matcher, Selection};
use quarterdeck::observe::metrics::exposition::{Format, Lexer, Limits};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// A page as exporters of a busy service write it: counters, gauges and histograms of a hundred
/// families, with the labels, lengths and number forms that are usual. `round` changes the values.
fn page(round: u64) -> String {
    let mut page = String::with_capacity(11 << 20);
    let mut state = round.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut family = 0;
    while page.len() < 10 << 20 {
        family += 1;
        let _ = match family % 4 {
            0 => histogram(&mut page, family, &mut random),
            1 => counters(&mut page, family, &mut random),
            2 => gauges(&mut page, family, &mut random),
            _ => runtime(&mut page, family, &mut random),
        };
    }
    page
}

fn counters(page: &mut String, n: u32, random: &mut impl FnMut() -> u64) -> std::fmt::Result {
    writeln!(page, "# HELP app{n}_requests_total Requests answered, by method, path and status.")?;
    writeln!(page, "# TYPE app{n}_requests_total counter")?;
    for i in 0..400 {
        let (method, status) = (["GET", "POST", "PUT", "DELETE"][i % 4], [200, 204, 404, 500][i / 4 % 4]);
        writeln!(
            page,
            "app{n}_requests_total{{method=\"{method}\",path=\"/api/v1/items/{}\",status=\"{status}\",zone=\"eu-1\"}} {}",
            i / 16,
            random() % 10_000_000
        )?;
    }
    Ok(())
}

fn gauges(page: &mut String, n: u32, random: &mut impl FnMut() -> u64) -> std::fmt::Result {
    writeln!(page, "# HELP node{n}_filesystem_avail_bytes Space that is free to users.")?;
    writeln!(page, "# TYPE node{n}_filesystem_avail_bytes gauge")?;
    for i in 0..100 {
        writeln!(
            page,
            "node{n}_filesystem_avail_bytes{{device=\"/dev/sd{i}\",fstype=\"ext4\",mountpoint=\"/var/lib/data/{i}\"}} {:e}",
            (random() % 1_000_000_000_000) as f64
        )?;
    }
    Ok(())
}

fn histogram(page: &mut String, n: u32, random: &mut impl FnMut() -> u64) -> std::fmt::Result {
    writeln!(page, "# HELP rpc{n}_duration_seconds How long calls took.")?;
    writeln!(page, "# TYPE rpc{n}_duration_seconds histogram")?;
    for i in 0..60 {
        let labels = format!("service=\"inventory\",method=\"GetItem{i}\"");
        let mut sum = 0;
        for le in ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"] {
            sum += random() % 5000;
            writeln!(page, "rpc{n}_duration_seconds_bucket{{{labels},le=\"{le}\"}} {sum}")?;
        }
        writeln!(page, "rpc{n}_duration_seconds_sum{{{labels}}} {}", sum as f64 * 0.01234)?;
        writeln!(page, "rpc{n}_duration_seconds_count{{{labels}}} {sum}")?;
    }
    Ok(())
}

fn runtime(page: &mut String, n: u32, random: &mut impl FnMut() -> u64) -> std::fmt::Result {
    writeln!(page, "# HELP go{n}_memstats_heap_inuse_bytes Bytes in spans that are in use.")?;
    writeln!(page, "# TYPE go{n}_memstats_heap_inuse_bytes gauge")?;
    for i in 0..20 {
        writeln!(
            page,
            "go{n}_memstats_heap_inuse_bytes{{pod=\"web-{i}\"}} {:e}",
            (random() % 100_000_000) as f64
        )?;
    }
    Ok(())
}

fn best(clock: &SystemClock, rounds: usize, mut run: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..rounds {
        let start = clock.now().mono;
        run();
        best = best.min(clock.now().mono.saturating_sub(start));
    }
    best
}

fn main() -> Result<(), String> {
    let clock = SystemClock::new();
    let (first, second) = (page(1), page(2));
    let lines = first.lines().filter(|l| !l.starts_with('#')).count();
    // One path of every family of counters, all buckets of one method, and so on: about 1 %.
    let mut lists: Vec<Vec<Matcher>> = Vec::new();
    for family in 1..500 {
        let name = format!("app{family}_requests_total");
        lists.push(vec![Matcher::equal(NAME, name), Matcher::equal("path", "/api/v1/items/7")]);
    }
    for family in 1..10 {
        lists.push(vec![Matcher::equal(NAME, format!("go{family}_memstats_heap_inuse_bytes"))]);
    }
    let selection = Arc::new(Selection::new(lists));
    let target: BTreeMap<String, String> =
        [("job", "app"), ("instance", "10.0.0.1:9090")].map(|(n, v)| (n.to_owned(), v.to_owned())).into();
    let limits = Limits::default();
    let mb = first.len() as f64 / 1e6;
    let rate = |took: Duration| mb / took.as_secs_f64();

    let fresh = || Lexer::new(target.clone(), Arc::clone(&selection), limits);
    let mut out = Vec::new();
    let mut lexer = fresh();
    let seen = lexer.page(first.as_bytes(), Format::Text, &mut out).map_err(|e| e.to_string())?;
    println!("page: {mb:.1} MB, {lines} samples, {} of them wanted", seen.selected);

    let theirs = best(&clock, 3, || {
        let lines = first.lines().map(|l| Ok(l.to_owned()));
        let scrape = prometheus_parse::Scrape::parse(lines);
        assert!(scrape.is_ok_and(|s| s.samples.len() > 1000));
    });
    let cold = best(&clock, 15, || {
        out.clear();
        assert!(fresh().page(first.as_bytes(), Format::Text, &mut out).is_ok());
    });
    let mut flip = false;
    let warm = best(&clock, 30, || {
        flip = !flip;
        out.clear();
        let page = if flip { &second } else { &first };
        assert!(lexer.page(page.as_bytes(), Format::Text, &mut out).is_ok_and(|s| s == seen));
    });
    let mut all = Lexer::new(target.clone(), Arc::new(Selection::everything()), limits);
    let mut everything = |rounds| {
        best(&clock, rounds, || {
            out.clear();
            assert!(all.page(first.as_bytes(), Format::Text, &mut out).is_ok());
        })
    };
    let all_cold = everything(1);
    let all_warm = everything(10);
    println!("prometheus-parse     {:8.0} MB/s", rate(theirs));
    for (name, took) in
        [("cold", cold), ("warm", warm), ("all wanted, cold", all_cold), ("all wanted, warm", all_warm)]
    {
        let times = theirs.as_secs_f64() / took.as_secs_f64();
        println!("ours, {name:16}{:8.0} MB/s  {times:6.1} times as fast", rate(took));
    }
    Ok(())
}
