//! Templates against tables of what Go and Prometheus make of them.

use super::*;
