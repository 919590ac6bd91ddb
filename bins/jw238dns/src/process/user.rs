//! Users and groups by name.

use std::ffi::CString;

use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use thiserror::Error;

/// Whom the server runs as.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    pub uid: Uid,
    pub gid: Gid,
    /// All groups: the one above and those that list the user as a member.
    pub groups: Vec<Gid>,
}

/// Why nobody knows whom a text means.
#[derive(Debug, Error)]
pub enum UserError {
    /// There is none of this name.
    #[error("there is no user {0:?}")]
    NoUser(String),
    /// There is none of this name.
    #[error("there is no group {0:?}")]
    NoGroup(String),
    /// A number that no user has tells no group.
    #[error("no user has the number {0}, so its group has to be named, as in {0}:{0}")]
    NoEntry(Uid),
    /// Root's rights are what is to be given up.
    #[error("{0:?} is root, whose rights are to be given up")]
    Root(String),
    /// The databases of the system could not be asked.
    #[error("users and groups cannot be looked up: {0}")]
    System(#[from] Errno),
}

impl Identity {
    /// Reads `name` or `name:group`; numbers will do for either. Without a group it is the user's own.
    pub fn look_up(text: &str) -> Result<Self, UserError> {
        let (user_text, group_text) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let (uid, entry) = if let Some(uid) = number(user_text).map(Uid::from_raw) {
            (uid, User::from_uid(uid)?)
        } else {
            let entry = User::from_name(user_text)?;
            let entry = entry.ok_or_else(|| UserError::NoUser(user_text.to_owned()))?;
            (entry.uid, Some(entry))
        };
        let gid = match group_text {
            Some(group) => group_id(group)?,
            None => entry.as_ref().ok_or(UserError::NoEntry(uid))?.gid,
        };
        if uid.is_root() || gid.as_raw() == 0 {
            return Err(UserError::Root(text.to_owned()));
        }
        let name = entry.and_then(|entry| CString::new(entry.name).ok());
        let mut groups = match name {
            Some(name) => getgrouplist(&name, gid)?,
            None => vec![gid],
        };
        groups.sort_unstable_by_key(|group| group.as_raw());
        groups.dedup();
        Ok(Self { uid, gid, groups })
    }
}

fn group_id(text: &str) -> Result<Gid, UserError> {
    if let Some(number) = number(text) {
        return Ok(Gid::from_raw(number));
    }
    let entry = Group::from_name(text)?;
    Ok(entry.ok_or_else(|| UserError::NoGroup(text.to_owned()))?.gid)
}

/// The largest number is nobody's: where one is to be set, the kernel takes it for "as it is".
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names_or_numbers() {
        let number = Identity::look_up("54321:54322").unwrap();
        assert_eq!((number.uid.as_raw(), number.gid.as_raw()), (54_321, 54_322));
        assert_eq!(number.groups, [number.gid]);
        let nobody = Identity::look_up("nobody").unwrap();
        assert!(!nobody.uid.is_root() && nobody.groups.contains(&nobody.gid));
        let by_number = Identity::look_up(&nobody.uid.to_string()).unwrap();
        assert_eq!(by_number, nobody);
        let other = Identity::look_up("nobody:54322").unwrap();
        assert_eq!((other.uid, other.gid), (nobody.uid, number.gid));
    }

    #[test]
    fn what_cannot_be_meant_is_told() {
        let error = |text: &str| Identity::look_up(text).unwrap_err().to_string();
        assert_eq!(error("no such user"), r#"there is no user "no such user""#);
        assert_eq!(error(""), r#"there is no user """#);
        assert_eq!(error("nobody:no such group"), r#"there is no group "no such group""#);
        assert_eq!(error("nobody:"), r#"there is no group """#);
        assert_eq!(error("4294967295:1"), r#"there is no user "4294967295""#);
        assert_eq!(error("1:4294967295"), r#"there is no group "4294967295""#);
        assert!(error("54321").contains("as in 54321:54321"));
        for root in ["root", "0", "nobody:0", "nobody:root"] {
            assert!(error(root).contains("whose rights are to be given up"), "{root}");
        }
        assert_eq!(error("nul\0"), "there is no user \"nul\\0\"");
    }
}
