//! The state of scaled groups in the database, by name and part. The store does not read it.

use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError};

use super::{GroupChange, StoreError, embedded::Embedded};

/// Main parts, by group. Versions that knew no other parts kept all of a group here. It is made when
/// it is first written.
const SCALED_GROUPS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("scaled_groups");

/// All other parts, by part and group: what changes at the same time of many groups lies together, so
/// that few pages are written.
const PARTS: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("scaled_group_parts");

/// The name of the main part.
const MAIN: &str = "";

impl Embedded {
    pub(super) fn names_of_groups(&mut self) -> Result<Vec<String>, StoreError> {
        let read = self.database()?.begin_read();
        let read = read.map_err(|error| self.unread(error))?;
        let table = match read.open_table(SCALED_GROUPS) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(self.unread(error)),
        };
        let mut names = Vec::new();
        for entry in table.iter().map_err(|error| self.unread(error))? {
            names.push(entry.map_err(|error| self.unread(error))?.0.value().to_owned());
        }
        Ok(names)
    }

    /// These parts of the state of a group.
    pub(super) fn state_of_group(
        &mut self,
        name: &str,
        parts: &[&str],
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let read = self.database()?.begin_read();
        let read = read.map_err(|error| self.unread(error))?;
        let groups = match read.open_table(SCALED_GROUPS) {
            Ok(table) => Some(table),
            Err(TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(self.unread(error)),
        };
        let others = match read.open_table(PARTS) {
            Ok(table) => Some(table),
            Err(TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(self.unread(error)),
        };
        let state = |part: &&str| {
            let found = match (*part, &groups, &others) {
                (MAIN, Some(groups), _) => groups.get(name),
                (part, _, Some(others)) if part != MAIN => others.get((part, name)),
                _ => Ok(None),
            };
            let found = found.map_err(|error| self.unread(error))?;
            Ok(found.map(|state| state.value().to_vec()))
        };
        parts.iter().map(state).collect()
    }

    /// Keeps or forgets parts, all or none.
    pub(super) fn keep_state_of_groups(
        &mut self,
        changes: &[GroupChange<'_>],
    ) -> Result<(), StoreError> {
        let written = self.write(|write| {
            let mut groups = write.open_table(SCALED_GROUPS)?;
            let mut others = write.open_table(PARTS)?;
            for &GroupChange { group, part, state } in changes {
                match (part, state) {
                    (MAIN, Some(state)) => drop(groups.insert(group, state)?),
                    (MAIN, None) => drop(groups.remove(group)?),
                    (part, Some(state)) => drop(others.insert((part, group), state)?),
                    (part, None) => drop(others.remove((part, group))?),
                }
            }
            Ok(())
        });
        if written.is_err() {
            self.database = None;
        }
        written
    }
}
