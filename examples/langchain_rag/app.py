"""A retrieval chain on LangChain that answers from a handbook. `python app.py "How many days may I work from home?"`."""

import sys

from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_openai import ChatOpenAI
from opentelemetry import trace

from truegreen.instrumentation import retrieval

HANDBOOK = [
    "Employees may work from home up to three days a week. The team agrees on one day in the office.",
    "Everybody has 28 days of paid leave a year. Unused days expire on 31 March of the next year.",
    "Train travel is booked in second class. A taxi is paid after 22:00 or with heavy luggage.",
]
PROMPT = ChatPromptTemplate.from_messages(
    [("system", "Use only the passages below.\n\nPassages:\n{passages}"), ("human", "{question}")]
)


class Handbook(BaseRetriever):
    """The passages that share most words with the question."""

    def _get_relevant_documents(self, query: str, *, run_manager: object) -> list[Document]:
        words = set(query.lower().strip("?").split())
        ranked = sorted(HANDBOOK, key=lambda text: -len(words & set(text.lower().split())))
        return [Document(page_content=text) for text in ranked[:2]]


def answer(model: ChatOpenAI, question: str) -> str:
    """Answer a question from the handbook, in one trace."""
    with trace.get_tracer("handbook").start_as_current_span("answer"):
        found = Handbook().invoke(question)
        retrieval(documents=[d.page_content for d in found], data_source="handbook")
        chain = PROMPT | model
        reply = chain.invoke({"passages": "\n".join(d.page_content for d in found), "question": question})
    return str(reply.content)


if __name__ == "__main__":
    print(answer(ChatOpenAI(model="support-large"), " ".join(sys.argv[1:]) or "How many days may I work from home?"))
