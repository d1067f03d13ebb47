//! Human-readable amounts.

use events::Currency;

/// `minor` units of `currency`: `100 JPY`, `50 PTS`, `12.34 EUR`.
pub(crate) fn amount(minor: i64, currency: Currency) -> String {
    let digits = decimals(currency);
    let sign = if minor < 0 { "-" } else { "" };
    let one = 10_u64.pow(digits);
    let (whole, rest) = (minor.unsigned_abs() / one, minor.unsigned_abs() % one);
    match digits {
        0 => format!("{sign}{whole} {currency}"),
        _ => format!("{sign}{whole}.{rest:0width$} {currency}", width = digits as usize),
    }
}

/// Number of decimals of a currency, as in ISO 4217. Points have none.
fn decimals(currency: Currency) -> u32 {
    match currency.as_str() {
        "PTS" | "XXX" => 0,
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_currency_has_its_decimals() {
        for (minor, currency, text) in [
            (100, "JPY", "100 JPY"),
            (50, "PTS", "50 PTS"),
            (1_000_000, "KRW", "1000000 KRW"),
            (123_456, "EUR", "1234.56 EUR"),
            (5, "USD", "0.05 USD"),
            (0, "USD", "0.00 USD"),
            (-250, "USD", "-2.50 USD"),
            (1500, "KWD", "1.500 KWD"),
            (10_001, "CLF", "1.0001 CLF"),
            (i64::MIN, "EUR", "-92233720368547758.08 EUR"),
        ] {
            assert_eq!(amount(minor, currency.parse().expect("a currency")), text);
        }
    }
}
