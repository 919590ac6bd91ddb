//! What a value may look like: read by the schema, the key table and the environment overrides.

/// Form of one value.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// `true` or `false`.
    Boolean,
    /// A whole number between two bounds, both included.
    Integer { min: u64, max: u64 },
    /// Text; `example` is one that is right.
    Text { example: &'static str },
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Whole seconds as a number, or text such as `5s`, `1m30s`, `250ms`.
    Duration,
    /// Any number of values of one form.
    List(Box<Shape>),
    /// One value, or a list of such values.
    OneOrMany(Box<Shape>),
    /// Keys and values.
    Mapping(Vec<Field>),
}

/// One key of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub key: &'static str,
    /// What the key is for, as documentation comments give it: lines, each with a blank before it.
    pub about: &'static str,
    /// The value that counts where the key is absent.
    pub default: Option<&'static str>,
    pub required: bool,
    pub shape: Shape,
}

impl Shape {
    /// The keys, for a mapping.
    pub fn fields(&self) -> &[Field] {
        match self {
            Self::Mapping(fields) => fields,
            _ => &[],
        }
    }

    /// The form as the key table names it.
    pub fn noun(&self) -> String {
        match self {
            Self::Boolean => "true or false".to_owned(),
            Self::Integer { min, max } => format!("number, {min} to {max}"),
            Self::Text { example } => format!("text such as `{example}`"),
            Self::Choice(words) => {
                words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            }
            Self::Duration => "duration".to_owned(),
            Self::List(item) => format!("list of: {}", item.noun()),
            Self::OneOrMany(item) => format!("one or a list of: {}", item.noun()),
            Self::Mapping(_) => "mapping".to_owned(),
        }
    }
}

impl Field {
    /// What the key is for, as one line.
    pub fn sentence(&self) -> String {
        self.about.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
