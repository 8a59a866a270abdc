"""The clocks of the law as data, as they were read on `REVIEWED`. Not legal advice: a person who knows the law decides.

Sources: Regulation (EU) 2024/1689 (AI Act), Art. 3(49), 26(5), 73, 99 and 113, as amended by Regulation (EU) 2026/1744; SEC Form 8-K Item 1.05
and General Instruction B.1; Regulation S-K Item 106; 5 U.S.C. 6103 (federal holidays).
"""

from __future__ import annotations

from typing import Final

from truegreen.runbook.law.model import Rule

REVIEWED: Final = "2026-11-28"
"""The day on which these rows were last compared with the law."""
CATEGORIES: Final = {
    "a": "death, or serious harm to a person's health",
    "b": "serious and irreversible disruption of critical infrastructure",
    "c": "infringement of obligations under Union law that protect fundamental rights",
    "d": "serious harm to property or the environment",
}
"""Art. 3(49): what a serious incident leads to, directly or indirectly."""
EU_STATES: Final = frozenset(
    [
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "EL",
        "ES",
        "FI",
        "FR",
        "GR",
        "HR",
        "HU",
        "IE",
        "IT",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
    ]  # both codes of Greece
)
EEA_STATES: Final = frozenset(["IS", "LI", "NO"])
"""The Act is a text with EEA relevance: of these it is open here whether it binds, so they take no clock of the EU out."""
REMIND_HOURS: Final = (24, 48)
"""Hours after a clock's start at which somebody is reminded. Our own: no law has them."""

ANNEX_III: Final = 1_827_705_600.0
"""2 December 2027, 00:00 UTC: from then on the chapter on high-risk systems applies to those of Annex III (Annex I: 2 August 2028)."""
_OPEN_UNTIL: Final = (
    "Whether it binds before a system can be high-risk in the Act's sense (2 December 2027, Annex I: 2 August 2028) is open."
)
_CLASSIFY: Final = "Give the authority no system that was altered: evidence is frozen before a change, which Art. 73(6) asks for. An incomplete first report may be completed later, Art. 73(5)."

RULES: Final = (
    Rule("art73-3", "EU AI Act", "Regulation (EU) 2024/1689, Art. 73(3)", ("provider",), ("high",), "EU", "awareness", 48, None,
         "a widespread infringement, or Art. 3(49)(b): " + CATEGORIES["b"],
         f"Report to the market surveillance authority of the Member State where it occurred, immediately, and not later than 2 days after becoming aware. {_CLASSIFY}",
         ANNEX_III),
    Rule("art73-4", "EU AI Act", "Regulation (EU) 2024/1689, Art. 73(4)", ("provider",), ("high",), "EU", "awareness", 240, None,
         "the death of a person",
         f"Report immediately after a causal relationship is established or suspected, and not later than 10 days after becoming aware. {_CLASSIFY}", ANNEX_III),
    Rule("art73-2", "EU AI Act", "Regulation (EU) 2024/1689, Art. 73(2)", ("provider",), ("high",), "EU", "awareness", 360, None,
         "any other serious incident of Art. 3(49): serious harm to health short of death, (c) or (d)",
         f"Report immediately after a causal link or its reasonable likelihood is established, and not later than 15 days after becoming aware. {_CLASSIFY}",
         ANNEX_III),
    Rule("art26-5", "EU AI Act", "Regulation (EU) 2024/1689, Art. 26(5)", ("deployer",), ("high",), "EU", "awareness", None, None,
         "a serious incident that a deployer identified",
         "Inform the provider first, then the importer or distributor and the authority, immediately: the Act gives no number of days. Where the provider cannot be "
         "reached, Art. 73 applies to the deployer.", ANNEX_III),
    Rule("sec-8k-105", "SEC", "Form 8-K, Item 1.05", (), (), "US", "determination", None, 4,
         "a cybersecurity incident, an unauthorised occurrence (Item 106), that the registrant determined to be material. Drift or hallucination alone is normally none",
         "File nature, scope, timing and likely impact within four business days after the determination, which is made without unreasonable delay; amend within four "
         "business days when facts come in. The last day ends at 17:30 in New York. Only the Attorney General can delay it."),
    Rule("internal-review", "internal", "our own reminders; no law has them", (), (), "", "opened", None, None,
         "every incident",
         "Ask who is to decide: is it a serious incident, when did we become aware, is it material? Record it: truegreen law aware, decide, determine."),
)  # fmt: skip
BY_NAME: Final = {rule.name: rule for rule in RULES}
WHY_OPEN: Final = _OPEN_UNTIL
