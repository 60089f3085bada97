//! Templates: minijinja with strict variables, and a filter for each quoting context.
//!
//! The values in a context are already quoted for their place. The filters are for values of `raw` in
//! templates of users.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde_json::Value;

use super::error::ExportError;
use super::formats::Format;
use super::options::Options;
use super::quote::{Quoted, config, markup, sh, systemd};

/// The templates of one export.
pub(crate) struct Templates<'a> {
    format: &'a Format,
    engine: Environment<'a>,
}

impl<'a> Templates<'a> {
    /// Loads the format's templates, and over them those of `options`.
    pub(crate) fn new(format: &'a Format, options: &'a Options) -> Result<Self, ExportError> {
        let fail = |name: &str, source| ExportError::Template {
            format: format.name,
            name: name.to_owned(),
            source,
        };
        let mut engine = Environment::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.set_auto_escape_callback(|_| AutoEscape::None);
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build();
        engine.set_syntax(syntax.map_err(|source| fail("syntax", source))?);
        add_filters(&mut engine);
        for &(name, text) in format.templates {
            let text = options.templates.get(name).map_or(text, String::as_str);
            engine.add_template(name, text).map_err(|source| fail(name, source))?;
        }
        Ok(Self { format, engine })
    }

    /// Renders one of them.
    pub(crate) fn render(&self, name: &str, context: &Value) -> Result<String, ExportError> {
        let template = self.engine.get_template(name);
        let text = template.and_then(|template| template.render(Serde(context)));
        text.map_err(|source| ExportError::Template {
            format: self.format.name,
            name: name.to_owned(),
            source,
        })
    }
}

fn add_filters(engine: &mut Environment<'_>) {
    engine.add_filter("sh", |text: String| sh::word(&text));
    engine.add_filter("systemd", |text: String| filtered(systemd::word(&text)));
    engine.add_filter("systemd_exec", |text: String| filtered(systemd::exec_word(&text)));
    engine.add_filter("systemd_path", |text: String| filtered(systemd::path(&text)));
    engine.add_filter("ini", |text: String| filtered(config::ini_word(&text)));
    engine.add_filter("upstart", |text: String| filtered(config::upstart_token(&text)));
    engine.add_filter("ruby", |text: String| config::ruby(&text));
    engine.add_filter("xml", |text: String| filtered(markup::xml(&text)));
    engine.add_filter("yaml", |text: String| markup::json(&text));
    engine.add_filter("yaml_dollar", |text: String| markup::dollar_json(&text));
    engine.add_filter("hcl", |text: String| markup::hcl(&text));
}

fn filtered(quoted: Quoted) -> Result<String, minijinja::Error> {
    quoted.map_err(|refusal| {
        minijinja::Error::new(
            ErrorKind::InvalidOperation,
            format!("the value contains {}", refusal.0),
        )
    })
}
