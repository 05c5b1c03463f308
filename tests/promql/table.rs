//! Hand-picked expressions: every function, operator and modifier with its edges, and texts that
//! Prometheus does or does not parse.

const OF_VECTORS: &[&str] = &[
    "abs", "absent", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "day_of_month",
    "day_of_week", "day_of_year", "days_in_month", "deg", "exp", "floor", "hour", "ln", "log10", "log2",
    "minute", "month", "rad", "round", "scalar", "sgn", "sin", "sinh", "sort", "sort_desc", "sqrt", "tan",
    "tanh", "timestamp", "year",
];

const OF_WINDOWS: &[&str] = &[
    "absent_over_time", "avg_over_time", "changes", "count_over_time", "delta", "deriv", "idelta", "increase",
    "irate", "last_over_time", "max_over_time", "min_over_time", "present_over_time", "rate", "resets",
    "stddev_over_time", "stdvar_over_time", "sum_over_time",
];

const AGGREGATIONS: &[&str] = &[
    "sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "topk2", "bottomk2", "quantile",
    "count_values",
];

const OPERATORS: &[&str] = &["+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<", ">=", "<="];

pub fn expressions() -> Vec<String> {
    let mut all: Vec<String> = SINGLE.iter().map(|e| (*e).to_owned()).collect();
    for f in OF_VECTORS {
        for v in ["temp", "constant", "nothing", r#"requests_total{job="api"}"#, "up offset 7m", "-limit"] {
            all.push(format!("{f}({v})"));
        }
        // Dates of what is no date are Prometheus' own.
        let is_date = f.contains("day") || ["hour", "minute", "month", "year"].contains(f);
        if !is_date {
            all.push(format!("{f}(odd)"));
        }
        all.push(format!("{f}(clock)"));
    }
    for f in OF_WINDOWS {
        for v in [
            "requests_total[5m]", "requests_total[20s]", "odd[3m]", "flaky[4m]", "once[10m]", "nothing[5m]",
            "limit[7m] offset 3m", "constant[2m] offset -1m", "clock[1h]", "temp[100ms]", "up[15s]",
            "requests_total[5m:30s]", "(temp * 2)[3m:7s]", "rate(errors_total[2m])[10m:]",
            "temp[4m] @ 1700001000", "temp[4m] @ end() offset 1m", "temp[4m:1m] @ start()",
            r#"{__name__=~"temp|up"}[2m]"#, r#"{__name__="flaky",job="api"}[6m]"#,
        ] {
            all.push(format!("{f}({v})"));
        }
    }
    for op in AGGREGATIONS {
        for by in ["", "by (job)", "without (instance)", "by ()", "without ()", "by (missing)", "by (job, __name__)"] {
            for v in ["requests_total", "odd", "nothing", "flaky", "rate(requests_total[3m])"] {
                let (op, param) = match *op {
                    "topk2" => ("topk", "2, "),
                    "bottomk2" => ("bottomk", "2, "),
                    "quantile" => ("quantile", "0.3, "),
                    "count_values" => ("count_values", "\"n\", "),
                    op => (op, ""),
                };
                all.push(format!("{op} {by} ({param}{v})"));
            }
        }
    }
    for op in OPERATORS {
        let flag = if OPERATORS.iter().position(|o| o == op) >= Some(7) { " bool" } else { "" };
        all.push(format!("5{flag_op} 7.5", flag_op = format!(" {op}{flag}")));
        for v in [
            format!("temp {op} 3"),
            format!("3 {op} temp"),
            format!("odd {op} 0"),
            format!("odd {op} odd"),
            format!("temp {op} up"),
            format!("temp {op} on (job, instance) up"),
            format!("temp {op} ignoring (instance) up"),
            format!("requests_total {op} on (job, instance) group_left () errors_total"),
            format!("errors_total {op} on (job, instance) group_right () requests_total"),
            format!("requests_total {op} on (job) group_left (tier) limit"),
            format!("limit {op} on (job) group_right (tier) requests_total"),
            format!("requests_total {op} ignoring (code) group_left (missing, job) errors_total"),
            format!("requests_total {op} ignoring (code) errors_total"),
            format!("nothing {op} on () requests_total"),
            format!("limit {op} on (job) flaky"),
            format!("temp {op} NaN"),
            format!("scalar(constant) {op} up"),
        ] {
            all.push(v.clone());
            if !flag.is_empty() {
                all.push(v.replacen(&format!(" {op} "), &format!(" {op} bool "), 1));
            }
        }
    }
    for op in ["and", "or", "unless"] {
        for m in ["", "on (job)", "on ()", "ignoring (code)", "ignoring (instance, code)", "on (missing)"] {
            for (a, b) in [("requests_total", "errors_total"), ("up == 1", "temp"), ("flaky", "limit"), ("nothing", "up"), ("up", "nothing"), ("temp", "temp > 0")] {
                all.push(format!("{a} {op} {m} {b}"));
            }
        }
    }
    all
}

const SINGLE: &[&str] = &[
    // Selectors.
    r#"requests_total{job="api"}"#,
    r#"requests_total{job!="api",code=~"4..|500"}"#,
    r#"requests_total{job!~"api|db"}"#,
    r#"{__name__="up"}"#,
    r#"{__name__=~"up|limit"}"#,
    r#"{__name__!="up",job="db",le=""}"#,
    r#"up{missing=""}"#,
    r#"up{missing!="x"}"#,
    r#"up{job="api",job="web"}"#,
    r#"up{job=~".*p.*",job!~"web"}"#,
    "flaky", "once", "nothing", "odd", "clock",
    "flaky offset 5m", "flaky offset -5m", "once offset 1h",
    "temp @ 1700001000", "temp @ 1700001000.5", "temp @ -1", "temp @ start()", "temp @ end()",
    "temp @ end() offset 5m", "temp offset 5m @ end()", "temp @ start() offset -5m",
    "requests_total[1m]", "flaky[10m]", "odd[2m]", "temp[2m] offset 1m", "temp[2m] @ 1700001000",
    "temp[3m:1m]", "temp[3m:]", "(temp + 1)[3m:17s] offset 30s", "rate(requests_total[1m])[5m:1m] @ 1700001000",
    // Literals.
    "1", "-1", "+1", "1e3", "0x1f", "017", "089", "01e2", ".5", "5.", "Inf", "-inf", "NaN", "nan", "1 + 2 * 3 ^ 2 ^ 0.5",
    "-2 ^ 2", "2 ^ -1", "-(2) ^ 2", "7 % -3", "-7 % 3", "7 % 0", "1 / 0", "-1 / 0", "0 / 0", "1 % Inf",
    r#""text""#, "'it''", r#"'it\'s'"#, "`raw\\n`", r#""\u00e4\x41\101""#,
    // Scalars and vectors.
    "scalar(up)", "scalar(constant)", "scalar(nothing)", "scalar(vector(3))", "vector(1)", "vector(time())", "time()", "pi()",
    "vector(scalar(up))", "time() - timestamp(up)", "timestamp(up offset 2m)", "timestamp(up @ 1700001000)",
    "timestamp(temp + 1)", "timestamp(timestamp(up))", "timestamp((up))", "timestamp(-up)", "time() > bool 5",
    // Signs.
    "-temp", "+temp", "--temp", "-temp - -temp", "-{job=\"api\"}", "-{__name__=~\"up|temp\"}", "+{__name__=~\"up|temp\"}", "-sum(temp)",
    // Names and duplicates.
    r#"rate({__name__=~"requests_total|errors_total"}[5m])"#,
    r#"last_over_time({__name__=~"requests_total|errors_total"}[5m])"#,
    r#"{__name__=~"up|temp"} + 1"#, r#"{__name__=~"up|temp"} > 0"#, r#"{__name__=~"up|temp"} > bool 0"#, r#"abs({__name__=~"up|temp"})"#,
    r#"sum by (__name__) ({__name__=~"up|temp"})"#, r#"sum by (__name__) (abs(up))"#, "sum by (__name__) (-up)",
    r#"sort({__name__=~"up|temp"})"#, r#"topk(3, {__name__=~"up|temp"})"#, "count_values(\"__name__\", up)",
    "count_values by (job) (\"job\", up)", "count_values without (job) (\"job\", up)", "count_values(\"v\", odd)", "count_values(\"v\", temp)",
    r#"up + on (__name__) up"#, r#"up == on (__name__, job, instance) up"#, "up * ignoring (__name__) up",
    r#"{__name__=~"up|temp"} and up"#, r#"up or temp"#, "up or on (job) temp", "up or -up", "abs(up) or up",
    // Aggregations' parameters.
    "topk(0, temp)", "topk(-1, temp)", "topk(1e30, temp)", "topk(NaN, temp)", "topk(Inf, nothing)", "topk(2.9, temp)", "topk(100, odd)",
    "bottomk(100, odd)", "topk(3, odd)", "bottomk(3, odd)", "topk by (job) (1, odd)", "bottomk(1, up)", "topk(4, up)", "topk(3, up)",
    "topk(scalar(limit{job=\"api\"}), temp)", "topk(scalar(nothing), temp)", "bottomk without (instance) (1, temp)",
    "quantile(0, temp)", "quantile(1, temp)", "quantile(-1, temp)", "quantile(2, temp)", "quantile(NaN, temp)", "quantile(0.5, odd)",
    "quantile(0.9, nothing)", "quantile by (job) (0.25, temp)", "quantile(time() / 1e10, temp)",
    "sum(odd)", "avg(odd)", "avg by (job) (odd)", "sum(odd > 0)", "stddev(odd)", "min(odd)", "max(odd)", "sum by (job, job) (up)",
    // Windows' parameters.
    "quantile_over_time(0.5, temp[5m])", "quantile_over_time(-1, temp[5m])", "quantile_over_time(2, temp[5m])",
    "quantile_over_time(NaN, temp[5m])", "quantile_over_time(0.3, odd[5m])", "quantile_over_time(scalar(nothing), temp[5m])",
    "predict_linear(temp[5m], 600)", "predict_linear(temp[5m] offset 3m, 600)", 
    "predict_linear(constant[5m], 600)", "predict_linear(odd[5m], 60)", "predict_linear(once[5m], 60)", "deriv(constant[5m])",
    "predict_linear(temp[10m:1m] offset 1m, -60)", "predict_linear(temp[5m], scalar(limit))",
    "holt_winters(temp[5m], 0.5, 0.5)", "holt_winters(temp[5m], 0, 0.5)", "holt_winters(temp[5m], 0.5, 1)", "holt_winters(once[20m], 0.5, 0.5)",
    "holt_winters(nothing[5m], 5, 5)", "holt_winters(temp[5m], 0.1, 0.9)",
    "round(temp, 5)", "round(temp, 0.3)", "round(temp, -2)", "round(temp, 0)", "round(odd)", "round(temp, NaN)",
    "clamp(temp, -5, 5)", "clamp(temp, 5, -5)", "clamp(temp, NaN, 5)", "clamp(odd, -5, 5)", "clamp_min(odd, 0)", "clamp_max(odd, 0)",
    "clamp_max(temp, NaN)", "clamp(temp, scalar(nothing), 5)", "clamp_min(temp, scalar(limit{job=\"api\"}))",
    // Absence.
    "absent(nothing)", "absent(up)", r#"absent(nothing{job="a",x=~"b",y!="c"})"#, r#"absent(nothing{job="a",job="b",x="y"})"#,
    r#"absent((nothing{job="a"}))"#, r#"absent(nothing{job="a"} @ 5)"#, r#"absent(-nothing{job="a"})"#, r#"absent(sum(nothing{job="a"}))"#,
    r#"absent({__name__="nothing",job="a"})"#, r#"absent({__name__=~"nothing.*",job=""}) "#, "absent(vector(1))", "absent(up > 5)", "absent(flaky)",
    r#"absent_over_time(nothing{job="a"}[5m])"#, r#"absent_over_time(flaky{job="api"}[15s])"#, r#"absent_over_time(up{job="x"}[5m:1m])"#,
    r#"absent_over_time({__name__=~"up|temp"}[5m])"#, r#"absent_over_time(once[1m])"#, r#"absent_over_time((nothing{job="a"}[5m]))"#,
    // Dates.
    "hour()", "minute()", "day_of_week()", "day_of_month()", "day_of_year()", "days_in_month()", "month()", "year()",
    "hour(vector(0))", "days_in_month(vector(1709164800))", "days_in_month(vector(-2203891200))", "year(vector(-1))", "month(vector(-86400.5))",
    "day_of_year(vector(1735603200))", "minute(vector(3599.9))", "day_of_week(vector(-1))", "hour(timestamp(up))",
    // Labels.
    r#"label_replace(up, "new", "$1", "instance", "(.*):.*")"#, r#"label_replace(up, "job", "", "job", ".*")"#,
    r#"label_replace(up, "instance", "", "instance", ".*")"#, r#"label_replace(up, "new", "$1", "missing", "(.*)")"#,
    r#"label_replace(up, "new", "x", "job", "ap")"#, r#"label_replace(up, "__name__", "other", "job", "api")"#,
    r#"label_replace(up, "__name__", "", "", "")"#, r#"label_replace(up, "new", "${1}y$2z$$", "job", "(a)(p)i")"#,
    r#"label_replace(up, "new", "$name", "job", "(?P<name>.*)")"#, r#"label_replace(up, "new", "$1x", "job", "(.*)")"#,
    r#"label_replace(rate(errors_total[5m]), "n", "$1", "__name__", "(.*)")"#, r#"label_replace(up, "~bad", "x", "job", "")"#,
    r#"label_replace(up, "new", "x", "job", "(")"#, r#"label_replace(nothing, "new", "x", "job", "(")"#,
    r#"label_join(up, "new", "-", "job", "instance")"#, r#"label_join(up, "new", "-")"#, r#"label_join(up, "job", "", "missing")"#,
    r#"label_join(up, "new", "-", "missing", "job", "missing")"#, r#"label_join(up, "instance", "-", "job")"#, r#"label_join(up, "a b", "-", "job")"#,
    r#"label_join(up, "new", "-", "a b")"#, r#"label_join(abs(up), "new", "-", "__name__", "job")"#, r#"sum by (new) (label_join(up, "new", "", "job"))"#,
    // Histograms.
    "histogram_quantile(0.5, lat_bucket)", "histogram_quantile(0.9, rate(lat_bucket[5m]))", "histogram_quantile(0, lat_bucket)",
    "histogram_quantile(1, lat_bucket)", "histogram_quantile(-1, lat_bucket)", "histogram_quantile(2, lat_bucket)", "histogram_quantile(NaN, lat_bucket)",
    "histogram_quantile(0.5, sum by (le) (rate(lat_bucket[5m])))", "histogram_quantile(0.5, sum by (le, job) (lat_bucket))", "histogram_quantile(0.01, lat_bucket)",
    r#"histogram_quantile(0.5, {__name__=~"lat_bucket|size_bucket"})"#, r#"histogram_quantile(0.5, {__name__=~"lat_bucket|size_bucket",job="api"} offset 1m)"#,
    r#"histogram_quantile(0.5, lat_bucket{le!="+Inf"})"#, r#"histogram_quantile(0.5, lat_bucket{le="+Inf"})"#, "histogram_quantile(0.5, up)",
    r#"histogram_quantile(0.5, lat_bucket{le=~"1|.Inf"})"#, "histogram_quantile(0.5, -lat_bucket)", r#"histogram_quantile(0.7, label_replace(lat_bucket, "le", "x", "le", "5"))"#,
    r#"histogram_quantile(0.7, label_replace(lat_bucket, "le", "1.0", "le", "5"))"#, "histogram_quantile(scalar(nothing), lat_bucket)", "histogram_quantile(0.5, lat_bucket * 0)",
    r#"histogram_quantile(0.7, sum by (le, job) (label_replace(lat_bucket, "le", "1", "le", "5")))"#,
    // What alerts look like.
    r#"sum by (job) (rate(requests_total{code=~"5.."}[5m])) / sum by (job) (rate(requests_total[5m])) > 0.05"#,
    "avg_over_time(up[10m]) < 0.9", "max by (job) (temp) - min by (job) (temp)", "rate(errors_total[5m]) / on (job, instance) group_left () sum without (code) (rate(requests_total[5m]))",
    "up == 0 unless on (job) limit > 10", "increase(errors_total[30m]) > 10 and on (job) up == 1", "sum(rate(requests_total[5m])) / clamp_min(sum(rate(errors_total[5m])), 1)",
    "max_over_time(rate(requests_total[2m])[10m:30s])", "sum_over_time(max_over_time(temp[1m])[5m:1m])", "avg_over_time(sum by (job) (rate(requests_total[1m]))[10m:1m] offset 2m)",
    "sum_over_time((temp @ 1700001000)[5m:1m])", "sum_over_time((temp @ end())[5m:1m])", "sum_over_time(time()[5m:1m])", "sum_over_time(vector(time())[5m:1m])",
    "sum_over_time(temp[5m:1m] @ 1700001000)", "sum_over_time(rate(requests_total[1m])[5m:1m] @ 1700001000 offset 30s)", "min_over_time(hour()[1h:10m])",
    "quantile_over_time(0.5, max_over_time(sum_over_time(temp[1m])[3m:30s])[10m:2m])", "rate(flaky[1m:7s])", "count_over_time(flaky[3m:15s])",
];

/// Texts, and whether Prometheus takes them.
pub fn texts() -> Vec<(&'static str, bool)> {
    let good = GOOD.iter().map(|t| (*t, true));
    good.chain(BAD.iter().map(|t| (*t, false))).collect()
}

const GOOD: &[&str] = &[
    "SUM(up)", "Sum BY (job) (up)", "sum(up) by (job,)", "up  # a comment", "# first\nup\n# last", "up{job=\"api\",}", "up{}", "up { job = 'api' } offset 5m",
    "up[ 5m ]", "up[5m :1m ]", "up[1h30m]", "up[1y2w3d4h5m6s7ms]", "sum", "by", "count_values", "start", "end", "offset", "sum", "rate", "and", "bool_metric",
    "group_left_thing", "a:b:c", ":a", "{by=\"x\"}", "{on=\"x\"}", "{or=\"x\"}", "{or =\"x\"}", "{order=\"x\"}", "{inf=\"x\"}", "sum by (sum, on, by, bool, offset) (up)",
    "sum by (start, end, atan2, ignoring, group_left) (up)", "up atan2 up", "up ATAN2 up", "up AND up", "up OR up", "up Unless up", "up offset 1m", "up OFFSET 1m", "up @ 1e3",
    "up @ +5", "up @ -5", "up @ 0x10", "up @ start ( )", "smoothed", "anchored", "fill", "fill_left", "limitk", "limit_ratio", "limitk + fill", "sum by (limitk, fill) (up)",
    "up == bool on (job) group_left up{job=\"x\"}", "up + on (job) group_left () limit", "1 > bool 2", "(1) == bool (2)", "topk((2), up)", "count_values((\"x\"), up)", "(((((up)))))",
    "rate((up[5m]))", "label_replace((up), (\"a\"), (\"b\"), (\"c\"), (\"d\"))", "hour(up)", "round(up, 1)", "exp(up)", "ln(up)", "-1", "- - 1", "+-+1", "-up", "2 ^ 3 ^ 2", "1 - -1",
    "up{job=~\"\"}", "up{job=~\"a{2}\"}", "up{job=~\"(?i)API\"}", "vector(1) > 0", "\"a\"", "'a'", "`a`", "{__name__=\"up\"}", "{a!=\"\",b=\"\"}", "{a=~\".+\"}", "up{__name__x=\"a\"}",
    "up offset 5m @ 10", "up @ 10 offset 5m", "sum(up)[5m:1m]", "up % up", "NaN", "INF", "+Inf", "infx", "nan_metric", "up\t+\r\nup",
    "up{job=~\"a|{\"}", "up{job=~\"[[]\"}", "up{job=~\"\\\\d+\"}", "metric{a=\"\\xC3\\xA4\"}",
];

const BAD: &[&str] = &[
    "", " ", "# only", "(", ")", "up)", "(up", "up{", "up}", "up[", "up[5m", "up]", "{}", "{job=~\".*\"}", "{job=\"\"}", "{job!=\"x\"}", "up{__name__=\"down\"}", "up{job}", "up{job=}",
    "up{job=api}", "up{job=\"a\" instance=\"b\"}", "up{,}", "up{=\"x\"}", "up{job==\"x\"}", "up{job=~\"(\"}", "up{job=\"a\" or job=\"b\"}", "up{\"job\"=\"a\"}x", "up{a:b=\"x\"}",
    "up[5]", "up[5m", "up[]", "up[m]", "up[5x]", "up[0s]", "up[5m5m]", "up[5s5m]", "up[-5m]", "up[5m:1m:1m]", "up[:1m]", "up[5m:-1m]", "up[1.5m]", "up[5m", "up[5m]5m", "up[5m][5m]",
    "up offset", "up offset 5", "up offset +5m", "up offset 0s", "1 offset 5m", "sum(up) offset 5m", "up offset 5m offset 6m", "up @", "up @ x", "up @ up", "up @ start", "up @ 1 @ 2", "1 @ 2",
    "sum(up) @ 5", "up offset 5m[5m]", "up @ 5[5m]", "(up)[5m]", "sum(up)[5m]", "5m", "1 + 5m", "up + 5m", "up + ", "+ up +", "up up", "up 5", "1 2", "5 up", "up foo up",
    "up +bool up", "up bool up", "1 > 2", "1 == 1", "(1) > (2)", "up and 1", "1 or 2", "1 unless up", "up and bool up", "up > on up", "up and on (job) group_left up", "up or group_left () up",
    "up + group_left up", "up + on (job) group_left (job) up", "1 + on (job) up", "up + ignoring (job) 1", "up + \"a\"", "\"a\" + \"b\"", "up + up[5m]", "up[5m] + 1", "-\"a\"", "+\"a\"", "-up[5m]", "+up[5m]", "+(up[5m])",
    "+(\"a\")", "sum()", "sum(1)", "sum(up, up)", "sum(up[5m])", "sum(\"a\")", "topk(up)", "topk(up, up)", "topk(\"a\", up)", "quantile(up, up)", "count_values(1, up)", "count_values(up, up)", "sum by job (up)", "on{a=\"b\"}", "up[5m:1m][5m:1m]", "1[5m:1m]",
    "sum by (job (up)", "sum by (a:b) (up)", "sum by (1) (up)", "sum by (job) (up) by (job)", "sum without", "sum(up) by", "sum by (inf) (up)", "count_values(\"a b\", up)", "topk(1, 2)",
    "rate(up)", "rate(up[5m], 1)", "rate()", "rate(1)", "Rate(up[5m])", "nope(up)", "rte(up[5m])", "abs(1)", "abs(up[5m])", "exp(1)", "exp(NaN)", "exp(Inf)", "ln(0)", "ln(-1)", "log2(0)", "log10(NaN)", "time(1)",
    "vector(up)", "vector(\"a\")", "scalar(1)", "hour(1)", "hour(up, up)", "round(up, up)", "round()", "round(up, 1, 1)", "clamp(up, 1)", "label_replace(up, \"a\", \"b\", \"c\")", "label_replace(up, a, \"b\", \"c\", \"d\")",
    "label_join(up, \"a\")", "label_join(up, \"a\", 1)", "histogram_quantile(up, 1)", "histogram_quantile(0.5)", "quantile_over_time(up[5m], 0.5)", "absent()", "absent(1)", "abs(up,)", "abs(,up)", "double_exponential_smoothing(up[5m], 0.5, 0.5)",
    "limitk(1, up)", "limit_ratio(0.5, up)", "sort_by_label(up, \"job\")", "mad_over_time(up[5m])", "info(up)", "first_over_time(up[5m])", "start()", "end()", "step()", "range()", "ts_of_max_over_time(up[5m])", "max_of(1, 2)",
    "up + fill(0) up", "up + on (job) fill (0) up", "up + fill_left (1) up", "up smoothed", "up[5m] anchored", "histogram_avg(up)",
    "1x", "1_000", "0x", "0xg", "1e", "1e400", "1..2", ".", "..5", "0b1", "5ms5s", "!up", "up ! up", "up = up", "up =~ up", "up !~ up", "up $ up", "up && up", "up || up", "up; up", "\"a", "'a", "`a", "\"a\nb\"", "\"\\q\"", "\"\\'\"",
    "up{job=\"\\q\"}", "up[5m] @ x", "up[5m] offset x", "{__name__=~\"\"}", "bool", "1 bool", "group_left", "on (job)", "ignoring", "on", "unless up", "atan2 up", "ä", "up{ä=\"x\"}", "up{job=\"x\"}{job=\"y\"}", "up(5)", "5(up)", "up[5m]()", "1^",
];
