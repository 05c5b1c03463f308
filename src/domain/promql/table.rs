//! The functions: their names, what they take and give, and those that are known and refused.

use super::Type::{self, Matrix, Scalar, Text, Vector};

/// How many arguments may follow or be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arity {
    Exact,
    /// The last argument may be left out.
    LastOptional,
    /// The last argument may come any number of times, also none.
    LastRepeats,
}

macro_rules! functions {
    ($($variant:ident $name:literal $types:tt $arity:ident $gives:ident;)*) => {
        /// A function that the evaluator has.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Func { $($variant),* }

        const ALL: &[Func] = &[$(Func::$variant),*];

        impl Func {
            pub fn name(self) -> &'static str {
                match self { $(Func::$variant => $name),* }
            }

            fn takes(self) -> (&'static [Type], Arity) {
                match self { $(Func::$variant => (&$types, Arity::$arity)),* }
            }

            pub fn gives(self) -> Type {
                match self { $(Func::$variant => $gives),* }
            }
        }
    };
}

functions! {
    Abs "abs" [Vector] Exact Vector;
    Absent "absent" [Vector] Exact Vector;
    AbsentOverTime "absent_over_time" [Matrix] Exact Vector;
    Acos "acos" [Vector] Exact Vector;
    Acosh "acosh" [Vector] Exact Vector;
    Asin "asin" [Vector] Exact Vector;
    Asinh "asinh" [Vector] Exact Vector;
    Atan "atan" [Vector] Exact Vector;
    Atanh "atanh" [Vector] Exact Vector;
    AvgOverTime "avg_over_time" [Matrix] Exact Vector;
    Ceil "ceil" [Vector] Exact Vector;
    Changes "changes" [Matrix] Exact Vector;
    Clamp "clamp" [Vector, Scalar, Scalar] Exact Vector;
    ClampMax "clamp_max" [Vector, Scalar] Exact Vector;
    ClampMin "clamp_min" [Vector, Scalar] Exact Vector;
    Cos "cos" [Vector] Exact Vector;
    Cosh "cosh" [Vector] Exact Vector;
    CountOverTime "count_over_time" [Matrix] Exact Vector;
    DayOfMonth "day_of_month" [Vector] LastOptional Vector;
    DayOfWeek "day_of_week" [Vector] LastOptional Vector;
    DayOfYear "day_of_year" [Vector] LastOptional Vector;
    DaysInMonth "days_in_month" [Vector] LastOptional Vector;
    Deg "deg" [Vector] Exact Vector;
    Delta "delta" [Matrix] Exact Vector;
    Deriv "deriv" [Matrix] Exact Vector;
    Exp "exp" [Vector] Exact Vector;
    Floor "floor" [Vector] Exact Vector;
    HistogramQuantile "histogram_quantile" [Scalar, Vector] Exact Vector;
    HoltWinters "holt_winters" [Matrix, Scalar, Scalar] Exact Vector;
    Hour "hour" [Vector] LastOptional Vector;
    Idelta "idelta" [Matrix] Exact Vector;
    Increase "increase" [Matrix] Exact Vector;
    Irate "irate" [Matrix] Exact Vector;
    LabelJoin "label_join" [Vector, Text, Text, Text] LastRepeats Vector;
    LabelReplace "label_replace" [Vector, Text, Text, Text, Text] Exact Vector;
    LastOverTime "last_over_time" [Matrix] Exact Vector;
    Ln "ln" [Vector] Exact Vector;
    Log10 "log10" [Vector] Exact Vector;
    Log2 "log2" [Vector] Exact Vector;
    MaxOverTime "max_over_time" [Matrix] Exact Vector;
    MinOverTime "min_over_time" [Matrix] Exact Vector;
    Minute "minute" [Vector] LastOptional Vector;
    Month "month" [Vector] LastOptional Vector;
    Pi "pi" [] Exact Scalar;
    PredictLinear "predict_linear" [Matrix, Scalar] Exact Vector;
    PresentOverTime "present_over_time" [Matrix] Exact Vector;
    QuantileOverTime "quantile_over_time" [Scalar, Matrix] Exact Vector;
    Rad "rad" [Vector] Exact Vector;
    Rate "rate" [Matrix] Exact Vector;
    Resets "resets" [Matrix] Exact Vector;
    Round "round" [Vector, Scalar] LastOptional Vector;
    Scalar "scalar" [Vector] Exact Scalar;
    Sgn "sgn" [Vector] Exact Vector;
    Sin "sin" [Vector] Exact Vector;
    Sinh "sinh" [Vector] Exact Vector;
    Sort "sort" [Vector] Exact Vector;
    SortDesc "sort_desc" [Vector] Exact Vector;
    Sqrt "sqrt" [Vector] Exact Vector;
    StddevOverTime "stddev_over_time" [Matrix] Exact Vector;
    StdvarOverTime "stdvar_over_time" [Matrix] Exact Vector;
    SumOverTime "sum_over_time" [Matrix] Exact Vector;
    Tan "tan" [Vector] Exact Vector;
    Tanh "tanh" [Vector] Exact Vector;
    Time "time" [] Exact Scalar;
    Timestamp "timestamp" [Vector] Exact Vector;
    ToVector "vector" [Scalar] Exact Vector;
    Year "year" [Vector] LastOptional Vector;
}

/// Functions of other versions of Prometheus, with why they are not here.
pub(super) const REFUSED: &[(&str, &str)] = &[
    ("double_exponential_smoothing", "the same is here under its older name, holt_winters"),
    ("end", "experimental"),
    ("first_over_time", "experimental"),
    ("histogram_avg", "for native histograms, which are not kept"),
    ("histogram_count", "for native histograms, which are not kept"),
    ("histogram_fraction", "for native histograms, which are not kept"),
    ("histogram_quantiles", "experimental"),
    ("histogram_stddev", "for native histograms, which are not kept"),
    ("histogram_stdvar", "for native histograms, which are not kept"),
    ("histogram_sum", "for native histograms, which are not kept"),
    ("info", "experimental"),
    ("integral", "experimental"),
    ("limit_ratio", "experimental"),
    ("limitk", "experimental"),
    ("mad_over_time", "experimental"),
    ("max_of", "experimental"),
    ("min_of", "experimental"),
    ("range", "experimental"),
    ("sort_by_label", "experimental"),
    ("sort_by_label_desc", "experimental"),
    ("start", "experimental"),
    ("start_timestamp", "experimental"),
    ("step", "experimental"),
    ("ts_of_first_over_time", "experimental"),
    ("ts_of_last_over_time", "experimental"),
    ("ts_of_max_over_time", "experimental"),
    ("ts_of_min_over_time", "experimental"),
];

/// The aggregations' names.
pub(super) const AGGREGATIONS: &[&str] = &[
    "avg",
    "bottomk",
    "count",
    "count_values",
    "group",
    "max",
    "min",
    "quantile",
    "stddev",
    "stdvar",
    "sum",
    "topk",
];

/// All functions' names, ascending.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|f| f.name())
}

impl Func {
    pub fn of(name: &str) -> Option<Func> {
        ALL.iter().copied().find(|f| f.name() == name)
    }

    /// What is wrong with arguments of these types, if anything.
    ///
    /// # Errors
    /// A lowercase fragment with the function's name.
    pub fn check(self, args: &[Type]) -> Result<(), String> {
        let (types, arity) = self.takes();
        let (name, most, given) = (self.name(), types.len(), args.len());
        let least = if arity == Arity::Exact { most } else { most - 1 };
        if given < least || (given > most && arity != Arity::LastRepeats) {
            let wanted = match arity {
                Arity::Exact => most.to_string(),
                Arity::LastOptional => format!("{least} or {most}"),
                Arity::LastRepeats => format!("at least {least}"),
            };
            let s = if wanted == "1" { "" } else { "s" };
            return Err(format!("{name} takes {wanted} argument{s}, {given} given"));
        }
        for (i, is) in args.iter().enumerate() {
            let want = types.get(i).or(types.last()).copied().unwrap_or(Vector);
            if *is != want {
                return Err(format!("argument {} of {name} must be {want}, and is {is}", i + 1));
            }
        }
        Ok(())
    }
}

/// Why no such function can be called: refused by name, or unknown, with the nearest name.
pub(super) fn unknown(name: &str) -> String {
    if let Some((_, why)) = REFUSED.iter().find(|(n, _)| *n == name) {
        return format!("the function {name} is not supported: {why}");
    }
    let near = crate::domain::text::nearest(name, names().chain(AGGREGATIONS.iter().copied()));
    let hint = near.map_or_else(String::new, |n| format!(" (did you mean `{n}`?)"));
    format!("there is no function {}{hint}", crate::domain::text::one_line(name, 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ascend_and_none_is_both_here_and_refused() {
        let all: Vec<_> = names().collect();
        assert!(all.is_sorted());
        assert!(REFUSED.is_sorted());
        assert!(REFUSED.iter().all(|(n, _)| Func::of(n).is_none()));
        assert!(all.iter().all(|n| Func::of(n).is_some_and(|f| f.name() == *n)));
    }
}
