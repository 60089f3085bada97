//! Lint of memory budgets that exceed the memory of the machine.

use std::path::PathBuf;

use super::{Finding, Severity};
use crate::app::ProcessType;
use crate::app::Size;

/// Returns a warning where budgets × instances come to more memory than there is.
pub fn over(types: &[ProcessType], machine: Size) -> Option<Finding> {
    let budgets: Vec<(&ProcessType, Size)> = types
        .iter()
        .filter(|process_type| process_type.count > 0)
        .filter_map(|process_type| Some((process_type, process_type.policy.budget?.size)))
        .collect();
    let total = budgets.iter().fold(0_u64, |sum, (process_type, size)| {
        sum.saturating_add(size.bytes().saturating_mul(u64::from(process_type.count)))
    });
    if total <= machine.bytes() {
        return None;
    }
    let parts = budgets.iter().map(|(process_type, size)| {
        format!("{} {} × {size}", process_type.name, process_type.count)
    });
    let parts = parts.collect::<Vec<_>>().join(", ");
    let total = total / (1 << 20);
    Some(Finding {
        severity: Severity::Warning,
        code: "memory",
        path: PathBuf::new(),
        place: None,
        message: format!(
            "the memory budgets add up to {total} MiB ({parts}), but this machine has {machine}"
        ),
        hint: Some("lower `--memory`, or run fewer instances".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::MemoryAction;
    use crate::app::{Budget, Policy};

    fn a_type(name: &str, count: u16, mib: Option<u64>) -> ProcessType {
        let budget = mib.and_then(Size::from_mib);
        let budget = budget.map(|size| Budget { size, action: MemoryAction::Restart });
        let policy = Policy { budget, ..Policy::default() };
        ProcessType { count, policy, ..ProcessType::of(name, "") }
    }

    #[test]
    fn budgets_times_instances_are_held_against_the_machine() {
        let machine = Size::from_mib(2048).unwrap();
        let types = [a_type("web", 2, Some(768)), a_type("worker", 1, Some(512))];
        assert_eq!(over(&types, machine), None);
        let types = [a_type("web", 3, Some(768)), a_type("x", 5, None), a_type("y", 0, Some(9999))];
        let said = over(&types, machine).unwrap();
        assert_eq!(
            said.message,
            "the memory budgets add up to 2304 MiB (web 3 × 768 MiB), but this machine has 2048 MiB"
        );
        assert_eq!(over(&types[1..], machine), None);
    }
}
