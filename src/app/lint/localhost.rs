//! Lint of env files: an address of one of this Procfile's own ports, as they are with foreman's base, where the base
//! is another. A `.env` that was copied into a second checkout still leads to the first one.

use super::{Excerpt, Finding, LintInput, Severity};
use crate::app::loaded::LoadedEnvFile;
use crate::app::ports::{BASE_PORT, PORTS_PER_TYPE};
use crate::app::siblings::key;

/// This machine, as addresses say it.
const HOSTS: [&str; 4] = ["localhost", "127.0.0.1", "[::1]", "0.0.0.0"];

/// Finds values that name this machine and a port that a type would have with foreman's base. Of a value that may be
/// a secret nothing is shown but that port.
pub(super) fn of_another_base(input: LintInput<'_>, file: &LoadedEnvFile) -> Vec<Finding> {
    if input.base_port == BASE_PORT {
        return Vec::new();
    }
    let own: Vec<u16> = input.app.instances().filter_map(|id| input.app.port_of(id)).collect();
    let mut found = Vec::new();
    for assignment in &file.assignments {
        let named = ports_of_this_machine(&assignment.value).find_map(|port| {
            let name = type_with_foremans_base(input, port).filter(|_| !own.contains(&port))?;
            Some((port, name))
        });
        let Some((port, name)) = named else { continue };
        let url = key(name);
        found.push(Finding {
            severity: Severity::Warning,
            code: "other-base",
            path: file.path.clone(),
            place: place(file, assignment.line, &assignment.key),
            message: format!(
                "`{}` names port {port}, which `{name}` has with base {BASE_PORT}; the base is {}",
                assignment.key, input.base_port
            ),
            hint: Some(format!(
                "read PM_URL_{url} instead, or write in pm.toml: `env = {{ {} = \"${{PM_URL_{url}}}\" }}`",
                assignment.key
            )),
        });
    }
    found
}

/// Returns the type that has a port with foreman's base.
fn type_with_foremans_base<'a>(input: LintInput<'a>, port: u16) -> Option<&'a str> {
    let distance = u32::from(port.checked_sub(BASE_PORT)?);
    let at = usize::try_from(distance / PORTS_PER_TYPE).ok()?;
    let count = u32::from(*input.counts.get(at)?).max(1);
    let entry = input.procfile.entries.get(at)?;
    (distance % PORTS_PER_TYPE < count).then_some(entry.name.as_str())
}

/// Returns the ports behind the names of this machine.
fn ports_of_this_machine(value: &str) -> impl Iterator<Item = u16> {
    let lower = value.to_ascii_lowercase();
    let of_host = |host: &str| {
        let behind = lower.match_indices(host).filter_map(|(at, _)| {
            let before = lower[..at].chars().next_back();
            let is_other = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
            let digits = lower[at + host.len()..].strip_prefix(':')?;
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            (!before.is_some_and(is_other)).then(|| digits[..end].parse().ok())?
        });
        behind.collect::<Vec<u16>>()
    };
    HOSTS.into_iter().flat_map(of_host).collect::<Vec<_>>().into_iter()
}

/// Returns the line up to the value, which is nobody's to see.
fn place(file: &LoadedEnvFile, line: usize, key: &str) -> Option<Excerpt> {
    let text = file.text.split('\n').nth(line.checked_sub(1)?)?;
    let start = text.find(key)?;
    let end = start + key.len();
    Some(Excerpt { line, text: format!("{}=****", &text[..end]), span: start..end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_of_this_machine_are_found_in_values_of_every_form() {
        let table: [(&str, &[u16]); 12] = [
            ("http://localhost:5100/v1", &[5100]),
            ("localhost:5100", &[5100]),
            ("postgres://u:localhost@127.0.0.1:5000/db", &[5000]),
            ("http://[::1]:5000,http://0.0.0.0:5200", &[5000, 5200]),
            ("HTTP://LOCALHOST:5100", &[5100]),
            ("http://api.localhost:5100", &[5100]),
            ("http://localhost", &[]),
            ("http://localhost:", &[]),
            ("http://localhost:70000", &[]),
            ("http://mylocalhost:5000", &[]),
            ("http://my-localhost:5000", &[]),
            ("http://example.com:5000 5100", &[]),
        ];
        for (value, expected) in table {
            assert_eq!(ports_of_this_machine(value).collect::<Vec<_>>(), expected, "{value}");
        }
    }
}
