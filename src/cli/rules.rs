//! `quarterdeck rules check` and `rules test`: rule files and promtool's unit tests, without a stack.

use super::report;
use crate::domain::alert::rule::Rule;
use crate::domain::text::one_line;
use crate::stack::diag::{Problem, Problems, Severity};
use crate::stack::ruletest::{self, Failure, TestFile};
use crate::stack::{files, rulefile};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Everything holds.
pub const DONE: u8 = 0;
/// A test failed, or there are warnings under `--strict`.
pub const FAILED: u8 = 1;
/// A file is wrong.
pub const WRONG: u8 = 2;

/// Checks rule files. Problems go to `err`, a line of summary to `out`. Gives the exit code.
pub fn check(
    paths: &[PathBuf],
    strict: bool,
    color: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let mut problems = Problems::default();
    let (mut rules, mut groups) = (0, 0);
    for path in paths {
        match files::read(path).map_err(one).and_then(|source| rulefile::read(&source)) {
            Ok(file) => {
                rules += file.rules.len();
                groups += file.groups;
                problems.append(file.warnings);
            }
            Err(found) => problems.append(found),
        }
    }
    report::problems(&problems, color, err)?;
    let (errors, warnings) = (problems.count(Severity::Error), problems.count(Severity::Warning));
    let (rules, groups) = (count(rules, "rule"), count(groups, "group"));
    writeln!(out, "{rules} in {groups}: {}, {}", count(errors, "error"), count(warnings, "warning"))?;
    Ok(if errors > 0 {
        WRONG
    } else if warnings > 0 && strict {
        FAILED
    } else {
        DONE
    })
}

/// Runs files of unit tests. Problems of files go to `err`, results to `out`. Gives the exit code.
pub fn test(paths: &[PathBuf], color: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let (mut code, mut checks, mut failed) = (DONE, 0, 0);
    for path in paths {
        let mut problems = Problems::default();
        let loaded = load(path, &mut problems);
        report::problems(&problems, color, err)?;
        let Some((file, rules)) = loaded else {
            code = WRONG;
            continue;
        };
        let outcome = ruletest::run(&file, &rules);
        checks += outcome.checks;
        failed += outcome.failures.len();
        for failure in &outcome.failures {
            show(path, failure, out)?;
        }
        if !outcome.failures.is_empty() {
            code = code.max(FAILED);
        }
    }
    let files = count(paths.len(), "file");
    writeln!(out, "{} in {files}: {failed} failed", count(checks, "expectation"))?;
    Ok(code)
}

fn show(path: &Path, failure: &Failure, out: &mut dyn Write) -> io::Result<()> {
    let name = if failure.test.is_empty() { String::new() } else { format!("{}: ", failure.test) };
    let head = format!("{}:{}: {name}{}", path.display(), failure.line, failure.what);
    writeln!(out, "failed: {}", one_line(&head, 400))?;
    for line in failure.detail.lines() {
        // A line that came from a file must not speak to the terminal.
        let indent: String = line.chars().take_while(|c| *c == ' ').collect();
        writeln!(out, "{indent}{}", one_line(line, 2000).trim_start())?;
    }
    Ok(())
}

/// A file of tests and the rules that it names.
fn load(path: &Path, problems: &mut Problems) -> Option<(TestFile, Vec<Rule>)> {
    let source = files::read(path).map_err(|p| problems.push(p)).ok()?;
    let file = ruletest::read(&source).map_err(|found| problems.append(found)).ok()?;
    let mut rules = Vec::new();
    for (pattern, span) in &file.rule_files {
        let found = ruletest::rule_files(path, pattern);
        if found.is_empty() {
            problems.push(Problem::warning(&source, span.clone(), "no file is called so"));
        }
        for path in found {
            match files::read(&path).map_err(one).and_then(|source| rulefile::read(&source)) {
                Ok(file) => rules.extend(file.rules),
                Err(found) => problems.append(found),
            }
        }
    }
    (!problems.has_errors()).then_some((file, rules))
}

fn one(problem: Problem) -> Problems {
    Problems(vec![problem], 0)
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "groups: [{name: g, rules: [{alert: A, expr: up == 0}]}]\n";

    fn run(texts: &[(&str, &str)], what: &str, file: &str, strict: bool) -> (u8, String) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in texts {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let paths = [dir.path().join(file)];
        let code = match what {
            "check" => check(&paths, strict, false, &mut out, &mut err),
            _ => test(&paths, false, &mut out, &mut err),
        };
        (code.unwrap(), String::from_utf8([err, out].concat()).unwrap())
    }

    #[test]
    fn the_exit_code_tells_what_is_wrong() {
        let twice = "groups: [{name: g, rules: [{record: a, expr: up}, {record: a, expr: up}]}]\n";
        let wrong = RULES.replace("up == 0", "sum(");
        let passes = "rule_files: ['r*.yml']\ntests: [{alert_rule_test: [{alertname: A}]}]\n";
        let fails = passes.replace("alertname: A", "alertname: A, exp_alerts: [{}]");
        let nowhere = passes.replace("r*.yml", "x.yml");
        let table: &[(&str, &str, &str, bool, u8, &str)] = &[
            ("check", RULES, "", false, DONE, "1 rule in 1 group: 0 errors, 0 warnings"),
            ("check", twice, "", false, DONE, "2 rules in 1 group: 0 errors, 1 warning"),
            ("check", twice, "", true, FAILED, "is there twice"),
            ("check", &wrong, "", false, WRONG, "1 error"),
            ("test", RULES, passes, false, DONE, "1 expectation in 1 file: 0 failed"),
            ("test", RULES, &fails, false, FAILED, "- {alertname=\"A\"}"),
            ("test", RULES, &nowhere, false, DONE, "no file is called so"),
            ("test", &wrong, passes, false, WRONG, "r.yml"),
            ("test", RULES, "tests: 5\n", false, WRONG, "expected a list"),
        ];
        for (what, rules, test, strict, code, part) in table {
            let file = if *what == "check" { "r.yml" } else { "t.yml" };
            let (got, shown) = run(&[("r.yml", rules), ("t.yml", test)], what, file, *strict);
            assert!(got == *code && shown.contains(part), "{rules}{test}\n{got}\n{shown}");
        }
        let (code, shown) = run(&[], "check", "absent.yml", false);
        assert!(code == WRONG && shown.contains("No such file"), "{shown}");
    }
}
