"""What each evaluator finds: support of numbers and names, relevance, expected answers, form, schema, repetition, wording."""

import sys

import onnxruntime
import pytest

from truegreen.core.errors import BadInput
from truegreen.core.words.shapes import Sample
from truegreen.evaluation.embedding import minilm
from truegreen.evaluation.evaluators import comparing, expected, form, relevance, repetition, schema_validity, support, wording
from truegreen.evaluation.lexical.language import not_english
from truegreen.evaluation.lexical.overlap import f1, found
from truegreen.instrumentation import notices

WORDS = {"embedding": "lexical"}
PASSAGE = "Opened items can be returned to Acme Bank within 30 days; a refund takes three working days and costs 1,000.50 euros."


def said(answer, passages=(PASSAGE,), query="", **more):
    """A sample."""
    return Sample(query, answer, passages, **more)


@pytest.mark.parametrize(
    ("answer", "raw"),
    [
        ("It takes 3 days and 1000.5 euros within 30 days.", 1.0),
        ("It takes 5 days.", 0.0),
        ("It takes 5 days, or 30, or three.", 0.5),
        ("1. Return it\n2. Wait for 30 days", 1.0),
        ("No number at all.", 1.0),
    ],
)
def test_numbers_that_the_passages_do_not_have(answer, raw):
    """In one form, list numbering left out; a number word that is there supports its digit."""
    assert support.make_numbers({}, None)(said(answer)).raw == raw


@pytest.mark.parametrize(
    ("answer", "raw"),
    [
        ("The refund comes from Acme Bank.", 1.0),
        ("The refund comes from Acme Savings.", 0.5),
        ("Zenith will pay.", 1.0),
        ("It is Zenith.", 0.0),
    ],
)
def test_names_that_the_passages_do_not_have(answer, raw):
    """Capitals that do not begin a sentence."""
    assert support.make_entities({}, None)(said(answer)).raw == raw


def test_a_question_supports_its_own_numbers_and_names():
    """Who repeats the question invents nothing."""
    sample = said("As Zenith said, 77 days.", query="Does Zenith take 77 days?")
    assert support.make_numbers({}, None)(sample).raw == support.make_entities({}, None)(sample).raw == 1.0


RELEVANT = "Opened items can be returned within 30 days of delivery."
ASIDE = "The river carries more water than the next seven largest rivers combined."
QUESTION = "Can I return opened items after 30 days to Acme?"


@pytest.mark.parametrize("way", ["lexical", "minilm"])
def test_the_share_of_relevant_chunks(way):
    """By words and by MiniLM; the evaluator says which, since their floors differ."""
    judge = relevance.make_retrieval({"embedding": way}, None)
    results = [
        judge(Sample(QUESTION, "", chunks)) for chunks in ((RELEVANT,), (RELEVANT, ASIDE, ASIDE, ASIDE), (ASIDE,), ("", RELEVANT))
    ]
    assert [result.raw for result in results] == [1.0, 0.25, 0.0, 1.0]
    assert results[0].evaluator == {"lexical": "chunks-over-0.5:words@1", "minilm": "chunks-over-0.4:minilm-l6-int8@1.0.0"}[way]
    strict = relevance.make_retrieval({"embedding": way, "similarity_floor": 0.99}, None)
    assert strict(Sample(QUESTION, "", (RELEVANT,))).raw == 0.0


@pytest.mark.parametrize("way", ["lexical", "minilm"])
def test_an_answer_to_the_question_is_more_relevant_than_one_beside_it(way):
    """Whether either is true is not asked."""
    judge = relevance.make_answer({"embedding": way}, None)
    assert judge(Sample(QUESTION, RELEVANT)).raw > 0.5 > judge(Sample(QUESTION, ASIDE)).raw


@pytest.mark.parametrize("way", ["lexical", "minilm"])
def test_an_answer_like_the_expected_one_scores_higher(way):
    """The same text is 1."""
    judge = expected.make({"embedding": way}, None)
    same, near, other = (judge(Sample("", text, expected=RELEVANT)).raw for text in (RELEVANT, "Returned within 30 days.", ASIDE))
    assert same == pytest.approx(1.0, abs=1e-5)
    assert same > near > 0.4 > other


def test_auto_takes_minilm_where_it_is_and_words_where_it_is_not(monkeypatch):
    """And it says before it is made whether it is slow, so that the application puts it in the background."""
    assert relevance.make_answer({}, None)(Sample(QUESTION, RELEVANT)).evaluator == "question-answer:minilm-l6-int8@1.0.0"
    assert relevance.make_answer.background({})
    assert not relevance.make_answer.background(WORDS)
    comparing._installed.cache_clear()
    monkeypatch.setattr(comparing, "find_spec", lambda name: None)
    assert expected.make({}, None)(Sample("", "a b", expected="a b")).evaluator == "expected-answer:words@1"
    assert not expected.make.background({})
    monkeypatch.undo()
    comparing._installed.cache_clear()


@pytest.fixture
def unloaded():
    """MiniLM as in a new process."""
    minilm.cache_clear()
    comparing.model.cache_clear()
    notices.close()
    yield
    minilm.cache_clear()
    comparing.model.cache_clear()


def test_auto_takes_the_words_where_minilm_is_installed_and_cannot_be_loaded(unloaded, monkeypatch, caplog):
    """A library that the system lacks: tried once in a process, said once; `minilm` is refused as before."""
    tried = []

    def broken(*arguments, **more):
        tried.append(1)
        raise ImportError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr(onnxruntime, "InferenceSession", broken)
    judges = [make({}, None) for make in (relevance.make_answer, relevance.make_retrieval, expected.make)]
    assert judges[0](Sample(QUESTION, RELEVANT)).evaluator == "question-answer:words@1"
    assert judges[1](Sample(QUESTION, RELEVANT, (RELEVANT,))).evaluator == "chunks-over-0.5:words@1"
    (said,) = [record.getMessage() for record in caplog.records if "MiniLM" in record.getMessage()]
    assert "cannot be imported (ImportError)" in said and "the words alone are compared" in said
    assert len(tried) == 1
    with pytest.raises(BadInput, match=r"cannot be imported \(ImportError\)"):
        relevance.make_answer({"embedding": "minilm"}, None)


def test_minilm_asked_for_and_missing_is_one_line(monkeypatch):
    """What to install."""
    minilm.cache_clear()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BadInput, match=r"pip install 'truegreen\[evaluate\]'"):
        relevance.make_retrieval({"embedding": "minilm"}, None)
    monkeypatch.undo()
    minilm.cache_clear()


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (
            relevance.make_answer,
            {"embedding": "bert"},
            "evaluations.answer_relevance.embedding: found 'bert'; write auto, lexical, minilm",
        ),
        (
            relevance.make_retrieval,
            {**WORDS, "similarity_floor": 2},
            "similarity_floor: found '2'; write a number over 0 and at most 1",
        ),
        (relevance.make_retrieval, {**WORDS, "similarity_floor": True}, "similarity_floor"),
        (schema_validity.make, {}, "evaluations.schema_validity.schema: it is missing; write a JSON Schema"),
        (schema_validity.make, {"schema": 3}, "found int; write a JSON Schema"),
        (schema_validity.make, {"schema": {"type": "objekt"}}, "it is no JSON Schema"),
        (schema_validity.make, {"schema": "/no/such/file.json"}, "cannot be read (FileNotFoundError)"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_to_write(make, settings, message):
    """When the evaluator is made, not at each answer."""
    with pytest.raises(BadInput) as error:
        make(settings, None)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


SCHEMA = {"type": "object", "required": ["days"], "properties": {"days": {"type": "integer"}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ('{"days": 30}', "pass"),
        (' \n{"days": 30}\n', "pass"),
        ('{"days": "30"}', "fail"),
        ('{"days": 30, "more": 1}', "fail"),
        ('{"days": 30, "days": 31}', "fail"),
        ('{"days": NaN}', "fail"),
        ('```json\n{"days": 30}\n```', "fail"),
        ('Here it is: {"days": 30}', "fail"),
        ("[" * 100_000, "fail"),
        ('{"days": ' + "9" * 5_000 + "}", "fail"),
    ],
)
def test_json_that_fits_its_schema(answer, label, tmp_path):
    """As a strict reader takes it, the schema written out or in a file."""
    (tmp_path / "schema.json").write_text(
        '{"type": "object", "required": ["days"], "properties": {"days": {"type": "integer"}}, "additionalProperties": false}'
    )
    for schema in (SCHEMA, str(tmp_path / "schema.json")):
        assert schema_validity.make({"schema": schema, "words": 100_000}, None)(said(answer)).label == label


def test_a_schema_elsewhere_is_not_fetched(monkeypatch):
    """Nothing leaves the process; what cannot be resolved is an error of the evaluation and no verdict."""
    import urllib.request

    asked = []
    monkeypatch.setattr(urllib.request, "urlopen", lambda *a, **k: asked.append(a))
    result = schema_validity.make({"schema": {"$ref": "http://127.0.0.1:1/x.json"}}, None)(said('{"days": 30}'))
    assert (result.skipped, result.label, asked) == ("error", "", [])


@pytest.mark.parametrize(("answer", "label"), [("", "fail"), (" \n…!", "fail"), ("No.", "pass"), ("4", "pass"), ("はい", "pass")])
def test_an_empty_answer_fails(answer, label):
    """No letter and no digit."""
    assert form.make_empty({}, None)(said(answer)).label == label


LONG = "The refund takes three working days after the parcel has arrived at the"


@pytest.mark.parametrize(
    ("answer", "finish", "label"),
    [
        ("Whole.", ("length",), "fail"),
        ("Whole.", ("MAX_TOKENS",), "fail"),
        (LONG, ("stop",), "pass"),
        (LONG, (), "fail"),
        (LONG, ("",), "fail"),
        (f"{LONG} warehouse.", (), "pass"),
        (f"{LONG} warehouse. 😀", (), "pass"),
        (f"{LONG} warehouse,", (), "fail"),
        ("```python\nprint(1)\n", (), "fail"),
        ("```python\nprint(1)\n```", (), "pass"),
        ("Thirty days", (), "pass"),
        (f"{LONG} warehouse.\n\n- item one\n- item two", (), "pass"),
        ("", (), "pass"),
    ],
)
def test_an_answer_that_was_cut_fails(answer, finish, label):
    """The provider's word first; where it says nothing, how the text ends."""
    assert form.make_truncated({}, None)(said(answer, finish=finish)).label == label


def test_saying_it_over_and_over_lowers_the_score():
    """A loop of one phrase ends near 0, prose near 1; CJK by character."""
    judge = repetition.make({}, None)
    assert judge(said("I am sorry. " * 50)).raw < 0.05
    assert judge(said(PASSAGE)).raw == 1.0
    assert judge(said("返品できます。" * 30)).raw < 0.1
    assert judge(said("Yes.")).raw == 1.0


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot provide instructions for this.",
        "I\u2019m unable to assist with your request.",
        "As an AI language model, I do not have access to that.",
        "I apologize, but I cannot fulfill your request.",
        "It is not appropriate to provide such content.",
        "Unable to answer based on the given passages.",
        "I must respectfully decline to answer.",
        "I cannot recommend that.",
        "This would be illegal, and I must decline.",
        "That would be illegal and unethical, and I do not condone it.",
    ],
)
def test_a_refusal_fails(answer):
    """Whether it was right to refuse is another question."""
    assert wording.make_refusal({}, None)(said(answer)).label == "fail"


@pytest.mark.parametrize(
    "answer",
    [
        "You cannot return opened items after 30 days.",
        "I can help you with that: go to settings.",
        "I can't recommend this hotel enough!",
        "I strongly advise against mixing bleach and ammonia: it makes a gas.",
        "The plan is illegal in Texas. I must note that other states allow it.",
        "If you can't log in, reset the password.",
        "The bank is not able to process cash.",
        "I'm sorry, but opened items cannot be returned after 30 days.",
        "We are not able to offer a refund after 30 days.",
        "It is illegal to park there, and the fine is 30 euros.",
        "Sorry to hear that! You can return it within 30 days.",
        f"{PASSAGE} {PASSAGE} {PASSAGE} I can't help with more than that.",
    ],
)
def test_an_answer_that_uses_such_words_passes(answer):
    """A refusal is the assistant's, and at the head."""
    assert wording.make_refusal({}, None)(said(answer)).label == "pass"


def test_confident_words_lower_the_number_and_hedges_raise_it():
    """Never a verdict."""
    judge = wording.make_confident({}, None)
    sure, plain, hedged = (
        judge(said(text)) for text in ("It is definitely, absolutely so.", "It is so.", "It might perhaps be so.")
    )
    assert sure.raw < plain.raw == 0.5 < hedged.raw
    assert {sure.label, plain.label, hedged.label} == {""}


@pytest.mark.parametrize(
    "text",
    [
        "Los artículos abiertos se pueden devolver en un plazo de 30 días desde la entrega si la caja no está dañada.",
        "Les articles ouverts peuvent être retournés dans les 30 jours suivant la livraison si la boîte est intacte.",
        "Geopende artikelen kunnen binnen 30 dagen na levering worden geretourneerd als de doos niet beschadigd is.",
        "Открытые товары можно вернуть.",
        "Avatud tooteid saab tagastada kolmekümne päeva jooksul, kui pakend ei ole kahjustatud, arve on alles ja klient teatab meile sellest kohe.",
        "Ang mga nabuksang gamit ay maaaring ibalik sa loob ng tatlumpung araw kung hindi nasira ang kahon at nasa iyo pa ang resibo.",
        "A felbontott termék harminc napon belül visszaküldhető, ha a doboz nem sérült, a számla megvan, és ezt írásban jelzi nekünk kedden.",
        "आप इसे वापस कर सकते हैं।",
    ],
)
def test_another_language_is_told(text):
    """By its letters, or by its function words."""
    assert not_english(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "30", "Oui.", "San Diego, Los Angeles, Las Vegas, La Jolla, Santa Cruz de la Sierra",
        "The German word der is an article, as are die and das, and und means and.",
        "naïve café résumé", PASSAGE, "return refund parcel card bank days items delivery " * 4, '{"order": "shipped. red shoes"} ' * 9,
        "UK Weather Maps; Current Weather; Highway Conditions. Lightning; Radar; Traffic Cameras; Traffic Flow; Satellite; Flood Warnings; Cloud Cover.",
    ],
)  # fmt: skip
def test_what_is_not_plainly_another_language_counts_as_english(text):
    """Names, a quoted word, a short text."""
    assert not not_english(text)


def test_english_data_is_english(rows):
    """No answer and no passage of RAGTruth and BEGIN is marked."""
    texts = [
        text for row in [*rows("ragtruth_qa_dev"), *rows("grounding_train")[::5]] for text in (row["answer"], *row["context"])
    ]
    assert [text for text in texts if not_english(text)] == []


def test_overlap_counts_what_is_shared():
    """F1 as SQuAD has it, the question's words without stop words."""
    assert f1("a b c", "a b d") == pytest.approx(2 / 3)
    assert (f1("", ""), f1("a", ""), f1("Ärger", "ärger")) == (1.0, 0.0, 1.0)
    assert found("Which opened items are returned?", "We return items.") == pytest.approx(2 / 3)


@pytest.fixture(scope="module")
def rows(data):
    """The rows of a labelled file."""
    import gzip
    import json

    def read(name):
        with gzip.open(data(f"{name}.jsonl.gz"), "rt", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    return read
