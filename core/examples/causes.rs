//! Prints the catalogue of causes as JSON, for `cargo xtask codegen`.

fn main() {
    let causes: Vec<_> = mailbearer::causes()
        .iter()
        .map(|cause| {
            serde_json::json!({
                "code": cause.code,
                "literal": cause.literal,
                "codes": mailbearer::codes(cause),
                "meaning": cause.meaning,
                "fix": cause.fix,
                "check": cause.check,
                "who": cause.who,
                "kind": cause.kind,
                "retry": cause.retry(),
            })
        })
        .collect();
    #[expect(clippy::print_stdout, reason = "printing is what this program is for")]
    {
        println!("{:#}", serde_json::Value::from(causes));
    }
}
