//! The program's own log: kept in memory, shown on its own screen, never written to the terminal.

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Sends what the program says of itself to the log screen. tui-logger's own `init_logger` would
/// start a thread that wakes a hundred times a second, so the records wait (bounded; the oldest
/// are dropped) until somebody looks.
pub fn init() {
    tui_logger::set_default_level(log_level());
    // A second subscriber is refused; the first one stands, which is as good.
    let _ = tracing_subscriber::registry().with(tui_logger::TuiTracingSubscriberLayer).try_init();
}

fn log_level() -> tui_logger::LevelFilter {
    tui_logger::LevelFilter::Info
}
