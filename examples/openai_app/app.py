"""A small app on the OpenAI SDK that answers from a handbook. `python app.py "How many days may I work from home?"`."""

import sys

from openai import OpenAI

from truegreen.instrumentation import retrieval

HANDBOOK = {
    "remote": "Employees may work from home up to three days a week. The team agrees on one day in the office.",
    "leave": "Everybody has 28 days of paid leave a year. Unused days expire on 31 March of the next year.",
    "travel": "Train travel is booked in second class. A taxi is paid after 22:00 or with heavy luggage.",
}


def search(question: str) -> list[str]:
    """The passages that share most words with the question."""
    words = set(question.lower().strip("?").split())
    return sorted(HANDBOOK.values(), key=lambda text: -len(words & set(text.lower().split())))[:2]


def answer(client: OpenAI, question: str) -> str:
    """Answer a question from the handbook."""
    passages = search(question)
    retrieval(documents=passages, data_source="handbook")
    instructions = "Use only the passages below.\n\nPassages:\n" + "\n".join(passages)
    reply = client.chat.completions.create(
        model="support-large",
        messages=[{"role": "system", "content": instructions}, {"role": "user", "content": question}],
    )
    return reply.choices[0].message.content or ""


if __name__ == "__main__":
    print(answer(OpenAI(), " ".join(sys.argv[1:]) or "How many days may I work from home?"))
