//! Bytes from outside, taken apart: pure functions over slices, each with its bounds. None may
//! panic, whatever it is given; the property tests beside them and the fuzz targets hold that.

pub mod dns;
pub mod postgres;
pub mod torctl;
