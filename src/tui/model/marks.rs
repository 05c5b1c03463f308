//! What has changed, on the time axis of graphs: what the metrics show, and the runs of procedures.

use crate::domain::board::{Board, Mark, MarkKind};
use crate::domain::procedure::ledger::Ledger;

/// All of them, in no order: who draws them takes those of its time.
pub fn of(board: &Board, ledger: &Ledger) -> Vec<Mark> {
    let runs = ledger.runs.iter().map(|line| Mark {
        at: line.started,
        kind: MarkKind::Run,
        text: format!("{} by {}", line.name, line.by),
    });
    board.marks.iter().cloned().chain(runs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::act_fixture::ledger_of;

    #[test]
    fn a_run_is_a_change_like_a_restart_or_a_deploy() {
        let ledger = ledger_of("running");
        let mut board = Board::default();
        let at = ledger.runs[0].started;
        board.marks.push(Mark { at, kind: MarkKind::Deploy, text: "another build".to_owned() });
        let marks = of(&board, &ledger);
        assert_eq!(marks.len(), 1 + ledger.runs.len());
        assert_eq!(marks[0].kind, MarkKind::Deploy);
        let run = &ledger.runs[0];
        let said = format!("{} by {}", run.name, run.by);
        assert!(marks.contains(&Mark { at, kind: MarkKind::Run, text: said }));
    }
}
