//! The state of scaled groups in the database, by name. The store does not read it.

use redb::{ReadOnlyTable, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError};

use super::{StoreError, embedded::Embedded};

/// It is made when it is first written.
const SCALED_GROUPS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("scaled_groups");

impl Embedded {
    pub(super) fn names_of_groups(&mut self) -> Result<Vec<String>, StoreError> {
        let Some(table) = self.table_of_groups()? else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for entry in table.iter().map_err(|error| self.unread(error))? {
            names.push(entry.map_err(|error| self.unread(error))?.0.value().to_owned());
        }
        Ok(names)
    }

    pub(super) fn state_of_group(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(table) = self.table_of_groups()? else { return Ok(None) };
        let state = table.get(name).map_err(|error| self.unread(error))?;
        Ok(state.map(|state| state.value().to_vec()))
    }

    pub(super) fn keep_state_of_group(
        &mut self,
        name: &str,
        state: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let written = self.write(|write| {
            let mut groups = write.open_table(SCALED_GROUPS)?;
            match state {
                Some(state) => groups.insert(name, state)?,
                None => groups.remove(name)?,
            };
            Ok(())
        });
        if written.is_err() {
            self.database = None;
        }
        written
    }

    fn table_of_groups(
        &mut self,
    ) -> Result<Option<ReadOnlyTable<&'static str, &'static [u8]>>, StoreError> {
        let read = self.database()?.begin_read();
        let read = read.map_err(|error| self.unread(error))?;
        match read.open_table(SCALED_GROUPS) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(self.unread(error)),
        }
    }
}
