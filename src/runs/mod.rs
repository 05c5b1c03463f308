//! What runs wrote down, as their directories have it: read, and never written. Who only looks
//! knows runs through this and through nothing else.

pub mod dir;
pub mod files;
pub mod journal;
pub mod left;
pub mod load;
pub mod outputs;
pub mod seal;
pub mod watch;
