//! What comparisons have shown of named numbers.

use super::state::Names;
use super::value::{Float, Kind, Name, RefId, Value};
use smallvec::SmallVec;

/// A length that is not known before the code runs, but never shrinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// That of a table, in elements.
    Table(u32),
    /// That of a memory, in bytes.
    Memory(u32),
}

/// What is known of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    name: Name,
    /// The integer is at least this.
    pub lo: i64,
    /// The integer is at most this.
    pub hi: i64,
    /// The integer is at most the length less this.
    pub below: Option<(Length, i64)>,
    /// The type of the function that the name refers to.
    pub ty: Option<u32>,
    /// The name of the number that the low 32 bits are, or 0.
    low: Name,
}

impl Fact {
    /// Nothing is known of this name.
    fn new(name: Name) -> Fact {
        Fact {
            name,
            lo: i64::MIN,
            hi: i64::MAX,
            below: None,
            ty: None,
            low: 0,
        }
    }
}

/// The most names of which something is known; the oldest are forgotten. A check is close to what it protects.
const MOST: usize = 12;

/// What is known of the names of a state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    known: SmallVec<[Fact; 4]>,
    /// A length that is at least a number.
    at_least: Option<(Length, i64)>,
    /// The name of the number that is 1 if a condition on a comparison does not hold, and else 0.
    choice: Option<(Flags, Condition, Name)>,
}

/// An order that a comparison can show between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Unsigned: the first is less.
    Below,
    /// Unsigned: the first is not greater.
    NotAbove,
    /// They are equal.
    Equal,
}

/// A condition on the flags that a comparison has set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Unsigned less.
    Below,
    /// Unsigned greater or equal.
    NotBelow,
    /// Unsigned greater.
    Above,
    /// Unsigned less or equal.
    NotAbove,
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// The result is negative.
    Negative,
    /// The result is not negative.
    NotNegative,
    /// Any other, from which nothing is concluded.
    Other,
}

impl Condition {
    /// The opposite.
    pub fn invert(self) -> Condition {
        match self {
            Condition::Below => Condition::NotBelow,
            Condition::NotBelow => Condition::Below,
            Condition::Above => Condition::NotAbove,
            Condition::NotAbove => Condition::Above,
            Condition::Equal => Condition::NotEqual,
            Condition::NotEqual => Condition::Equal,
            Condition::Negative => Condition::NotNegative,
            Condition::NotNegative => Condition::Negative,
            Condition::Other => Condition::Other,
        }
    }

    /// What the condition says of the compared values, as an order and whether they are swapped.
    fn order(self) -> Option<(Order, bool)> {
        match self {
            Condition::Below => Some((Order::Below, false)),
            Condition::NotBelow => Some((Order::NotAbove, true)),
            Condition::Above => Some((Order::Below, true)),
            Condition::NotAbove => Some((Order::NotAbove, false)),
            Condition::Equal => Some((Order::Equal, false)),
            _ => None,
        }
    }
}

/// The last comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flags {
    /// Something else has set the flags.
    #[default]
    Unknown,
    /// They compare the low bits of two values, 32 or 64 of them.
    Compared(Value, Value, u8),
    /// They are equal if no bit from this one on is set.
    HighBits(Value, u8),
    /// They compare two floats.
    Floats {
        /// The first one.
        a: Float,
        /// The second one.
        b: Float,
        /// Whether they have double precision.
        double: bool,
    },
    /// They compare a float with 2^32: the condition is `Below` if it is less or not a number.
    With2To32 {
        /// The float.
        float: Float,
        /// Whether it has double precision.
        double: bool,
    },
}

impl Facts {
    /// What is known of a name.
    pub fn get(&self, name: Name) -> Option<&Fact> {
        match name {
            0 => None,
            _ => self.known.iter().find(|fact| fact.name == name),
        }
    }

    fn change(&mut self, name: Name) -> &mut Fact {
        let found = self.known.iter().position(|fact| fact.name == name);
        let at = found.unwrap_or_else(|| {
            if self.known.len() == MOST {
                self.known.remove(0);
            }
            self.known.push(Fact::new(name));
            self.known.len() - 1
        });
        &mut self.known[at]
    }

    /// The value within the bounds that are known of its name.
    pub fn resolve(&self, value: Value) -> Value {
        let Some(fact) = self.get(value.name) else {
            return value;
        };
        if value.kind == Kind::Any {
            return match fact.lo >= 0 && fact.hi < i64::MAX {
                true => Value {
                    kind: Kind::Number,
                    lo: fact.lo,
                    hi: fact.hi,
                    ..value
                },
                false => value,
            };
        }
        let scaled = |bound: i64| {
            let product = bound.checked_mul(i64::from(value.scale))?;
            product.checked_add(value.addend)
        };
        Value {
            lo: scaled(fact.lo).map_or(value.lo, |lo| value.lo.max(lo)),
            hi: scaled(fact.hi).map_or(value.hi, |hi| value.hi.min(hi)),
            ..value
        }
    }

    /// How far the value's number is below a length: `number <= scale * length - result`, for the value's scale.
    pub fn distance_below(&self, value: Value, length: Length) -> Option<i64> {
        let (known, below) = self.get(value.name)?.below?;
        let product = below.checked_mul(i64::from(value.scale))?;
        (known == length).then_some(product.checked_sub(value.addend)?)
    }

    /// The number that is 0 if a condition holds and else 1. If the same values were compared before, it has the same name.
    pub fn choice(&mut self, names: &Names, flags: Flags, condition: Condition) -> Value {
        let known =
            |value: Value| value.name != 0 || value.lo == value.hi && value.kind == Kind::Number;
        let bit = Value::between(0, 1);
        match flags {
            Flags::Compared(a, b, _) if known(a) && known(b) => {}
            Flags::Floats { .. } => {}
            _ => return bit,
        }
        let name = match self.choice {
            Some((same, when, name)) if (same, when) == (flags, condition) => name,
            _ => names.fresh(),
        };
        self.choice = Some((flags, condition, name));
        Value { name, ..bit }
    }

    /// The least that a length is known to be.
    pub fn least(&self, length: Length) -> i64 {
        let known = self.at_least.filter(|known| known.0 == length);
        known.map_or(0, |known| known.1)
    }

    /// The type of the function that a reference is known to have.
    pub fn type_of(&self, id: RefId) -> Option<u32> {
        match id {
            RefId::Named(name) => self.get(name)?.ty,
            RefId::Own(_) => None,
        }
    }

    /// The low 32 bits of a value. They have the same name each time, so that what a comparison says of them holds for
    /// all reads of them.
    pub fn low32(&mut self, names: &Names, value: Value) -> Value {
        let low = self.resolve(value).low32();
        if low.name != 0 || low.lo == low.hi || value.kind != Kind::Any || value.name == 0 {
            return low;
        }
        let fact = self.change(value.name);
        if fact.low == 0 {
            fact.low = names.fresh();
        }
        Value {
            name: fact.low,
            ..low
        }
    }

    /// Gives a new name what is known of the number of a value.
    pub fn copy_to(&mut self, name: Name, value: Value) {
        let value = self.resolve(value);
        let fact = self.get(value.name).copied();
        let (lo, hi) = (value.lo, value.hi);
        let below = fact
            .and_then(|fact| fact.below)
            .filter(|_| value.scale == 1)
            .and_then(|(length, below)| Some((length, below.checked_sub(value.addend)?)));
        let below = below.or_else(|| {
            let (length, least) = self.at_least?;
            Some((length, least.checked_sub(hi)?))
        });
        if let Some(below) = below {
            let fact = self.change(name);
            (fact.lo, fact.hi, fact.below) = (lo, hi, Some(below));
        }
    }

    /// Takes what others know of a name.
    pub fn adopt(&mut self, others: &Facts, name: Name) {
        if let Some(fact) = others.get(name) {
            *self.change(name) = *fact;
        }
    }

    /// Adds what a condition says. The result is false if it cannot be true.
    #[must_use]
    pub fn assume(&mut self, flags: Flags, condition: Condition) -> bool {
        let (a, b, bits) = match flags {
            Flags::Compared(a, b, bits) => (a, b, bits),
            Flags::HighBits(value, bit) if condition == Condition::Equal => {
                return self.not_above(self.resolve(value), Value::constant((1 << bit) - 1), 0);
            }
            _ => return true,
        };
        let (a, b) = (self.resolve(a), self.resolve(b));
        let Some((order, swapped)) = condition.order() else {
            let above_zero = condition == Condition::NotEqual
                && b.as_constant() == Some(0)
                && (bits == 64 || a.is_below32());
            return !above_zero || self.not_above(b, a, 1);
        };
        if order == Order::Equal {
            self.assume_type(a, b);
            self.assume_type(b, a);
        }
        if bits == 32 && !(a.is_below32() && b.is_below32()) {
            return true;
        }
        match (order, swapped) {
            (Order::Equal, _) => self.not_above(a, b, 0) && self.not_above(b, a, 0),
            (Order::Below, false) => self.not_above(a, b, 1),
            (Order::NotAbove, false) => self.not_above(a, b, 0),
            (Order::Below, true) => self.not_above(b, a, 1),
            (Order::NotAbove, true) => self.not_above(b, a, 0),
        }
    }

    fn assume_type(&mut self, a: Value, b: Value) {
        if let (Kind::TypeIdOf(RefId::Named(name)), Kind::TypeId(ty)) = (a.kind, b.kind) {
            self.change(name).ty = Some(ty);
        }
    }

    /// Adds that `x + distance <= y`, where both are unsigned. The result is false if that cannot be.
    fn not_above(&mut self, x: Value, y: Value, distance: i64) -> bool {
        // Bits that may be 2^63 or more are no number here. If they are not above a number, they are one.
        let (number_x, number_y) = (x.as_number(), y.as_number());
        let unsigned = |value: Option<Value>| value.is_none_or(|number| number.lo >= 0);
        if !unsigned(number_x) || !unsigned(number_y) {
            return true;
        }
        let comparable = |value: Value| value.kind == Kind::Any || value.as_number().is_some();
        if !comparable(x) || !comparable(y) {
            return true;
        }
        if let (Some(x), Some(y)) = (number_x, number_y)
            && x.lo > y.hi - distance
        {
            return false;
        }
        if let Some(length) = length_of(x) {
            if length_of(y) == Some(length) && distance > 0 {
                return false;
            }
            if let (Some((known, least)), Some(y)) = (self.at_least, number_y)
                && known == length
                && length_of(y).is_none()
                && least.saturating_add(distance) > y.hi
            {
                return false;
            }
            // The length is not above y, so y is not below it.
            let below = self.get(y.name).and_then(|fact| fact.below);
            if let Some((known, below)) = below
                && known == length
                && y.scale == 1
                && below.saturating_sub(y.addend) + distance > 0
            {
                return false;
            }
        }
        if let (Some(length), Some(least)) = (length_of(y), number_x)
            && length_of(x).is_none()
        {
            self.at_least = Some((length, least.lo.saturating_add(distance)));
        }
        if x.name != 0 && length_of(x).is_none() {
            if let Some(length) = length_of(y)
                && x.scale == 1
            {
                let fact = self.change(x.name);
                let below = x.addend.saturating_add(distance);
                match fact.below {
                    Some((known, old)) if known == length && old >= below => {}
                    _ => fact.below = Some((length, below)),
                }
                if x.kind == Kind::Any {
                    fact.lo = fact.lo.max(0);
                }
            }
            if let Some(y) = number_y {
                let scale = i64::from(x.scale);
                let most =
                    y.hi.saturating_sub(distance)
                        .saturating_sub(x.addend)
                        .div_euclid(scale);
                let fact = self.change(x.name);
                fact.hi = fact.hi.min(most);
                if x.kind == Kind::Any {
                    fact.lo = fact.lo.max(0);
                }
            }
        }
        if let (true, Some(x), Kind::Number) = (y.name != 0, number_x, y.kind) {
            let scale = i64::from(y.scale);
            let least = x.lo.saturating_add(distance).saturating_sub(y.addend);
            let least = least.div_euclid(scale) + i64::from(least.rem_euclid(scale) != 0);
            let fact = self.change(y.name);
            fact.lo = fact.lo.max(least);
        }
        true
    }

    /// Keeps what both know. The result is whether anything was lost.
    pub fn join(&mut self, other: &Facts) -> bool {
        let mut changed = false;
        if self.choice.is_some() && self.choice != other.choice {
            self.choice = None;
            changed = true;
        }
        if self.at_least.is_some() && self.at_least != other.at_least {
            self.at_least = None;
            changed = true;
        }
        self.known.retain(|fact| {
            let Some(theirs) = other.get(fact.name) else {
                changed = true;
                return false;
            };
            let below = match (fact.below, theirs.below) {
                (Some((length, a)), Some((same, b))) if length == same => Some((length, a.min(b))),
                _ => None,
            };
            let joined = Fact {
                name: fact.name,
                // A bound that gets worse is dropped, so that loops end.
                lo: if theirs.lo < fact.lo {
                    i64::MIN
                } else {
                    fact.lo
                },
                hi: if theirs.hi > fact.hi {
                    i64::MAX
                } else {
                    fact.hi
                },
                below: below.filter(|_| below == fact.below),
                ty: fact.ty.filter(|_| fact.ty == theirs.ty),
                low: if fact.low == theirs.low { fact.low } else { 0 },
            };
            changed |= joined != *fact;
            *fact = joined;
            joined != Fact::new(fact.name)
        });
        changed
    }
}

/// The length that a value is.
fn length_of(value: Value) -> Option<Length> {
    match value.kind {
        Kind::TableLen(table) => Some(Length::Table(table)),
        Kind::MemoryLen(memory) => Some(Length::Memory(memory)),
        _ => None,
    }
}
