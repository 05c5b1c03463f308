//! Legends of graphs: `{{method}} {{status}}` over a series' labels.

use crate::domain::series::Labels;

/// Fills a legend in: `{{ name }}` stands for that label, all else for itself. Without a template
/// it is the labels as they are.
pub fn legend(template: &str, labels: &Labels) -> String {
    if template.is_empty() {
        return labels.to_string();
    }
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((name, tail)) = after.split_once("}}") else {
            out.push_str("{{");
            rest = after;
            continue;
        };
        let name = name.trim();
        let name = name.strip_prefix("$labels.").or_else(|| name.strip_prefix('.')).unwrap_or(name);
        out.push_str(labels.get(name));
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_where_they_are_named() {
        let labels = Labels::new([("__name__", "up"), ("job", "api"), ("code", "200")]);
        for (template, want) in [
            ("", r#"up{code="200", job="api"}"#),
            ("plain", "plain"),
            ("{{job}} {{ code }}", "api 200"),
            ("{{$labels.job}}/{{.code}}", "api/200"),
            ("[{{gone}}]", "[]"),
            ("{{job", "{{job"),
            ("{{job}}}", "api}"),
        ] {
            assert_eq!(legend(template, &labels), want, "{template}");
        }
    }
}
