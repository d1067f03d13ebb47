//! A [`Status`] as a column of the type `text`.

use sqlx::{
    Decode, Encode, Postgres,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef},
};

use super::Status;

impl sqlx::Type<Postgres> for Status {
    fn type_info() -> PgTypeInfo {
        <str as sqlx::Type<Postgres>>::type_info()
    }

    fn compatible(column: &PgTypeInfo) -> bool {
        <str as sqlx::Type<Postgres>>::compatible(column)
    }
}

impl PgHasArrayType for Status {
    fn array_type_info() -> PgTypeInfo {
        <&str as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for Status {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <&str as Encode<'_, Postgres>>::encode_by_ref(&self.as_str(), buffer)
    }
}

impl<'row> Decode<'row, Postgres> for Status {
    fn decode(value: PgValueRef<'row>) -> Result<Self, BoxDynError> {
        Ok(<&str as Decode<'row, Postgres>>::decode(value)?.parse()?)
    }
}
