//! Prints the JSON Schema of everything that crosses a language border, for `cargo xtask codegen`.

use mailbearer::model::{
    Account, Config, Delivery, Diagnosis, Envelope, Event, Evidence, Examination, Examine,
    LogRecord, Message, NewAccount, Problem, RevealedAccessToken, SignInFlow, SignInPrompt,
    TestDelivery, TestMail, TokenStatus, VaultRecord, VaultReport,
};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;

fn main() {
    let mut generator: SchemaGenerator = SchemaSettings::draft2020_12().into();
    generator.subschema_for::<Config>();
    generator.subschema_for::<NewAccount>();
    generator.subschema_for::<Account>();
    generator.subschema_for::<SignInFlow>();
    generator.subschema_for::<SignInPrompt>();
    generator.subschema_for::<TokenStatus>();
    generator.subschema_for::<RevealedAccessToken>();
    generator.subschema_for::<Message>();
    generator.subschema_for::<Envelope>();
    generator.subschema_for::<Delivery>();
    generator.subschema_for::<Event>();
    generator.subschema_for::<Evidence>();
    generator.subschema_for::<Diagnosis>();
    generator.subschema_for::<Problem>();
    generator.subschema_for::<Examine>();
    generator.subschema_for::<Examination>();
    generator.subschema_for::<TestMail>();
    generator.subschema_for::<TestDelivery>();
    generator.subschema_for::<VaultRecord>();
    generator.subschema_for::<VaultReport>();
    generator.subschema_for::<LogRecord>();
    let definitions = generator.take_definitions(true);
    #[expect(clippy::print_stdout, reason = "printing is what this program is for")]
    {
        println!("{:#}", serde_json::Value::Object(definitions));
    }
}
