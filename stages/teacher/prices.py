"""What tokens cost: the offline tables of the package genai-prices. Unknown is None, never a guess."""

from __future__ import annotations


def of(model: str, base_url: str) -> tuple[float, float] | None:
    """Dollars for a token of the prompt and for one of the answer, or None."""
    from genai_prices import Usage, calc_price

    try:
        price = calc_price(Usage(input_tokens=1000, output_tokens=1000), model, provider_api_url=base_url)
    except LookupError:
        return None
    if not price.input_price and not price.output_price:
        return None
    return float(price.input_price) / 1000, float(price.output_price) / 1000
