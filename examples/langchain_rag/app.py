"""A retrieval chain on LangChain that answers from a handbook. `python app.py "How many days may I work from home?"`."""

import sys

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnablePassthrough
from langchain_openai import ChatOpenAI

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


def joined(found: list[Document]) -> str:
    """The passages as the prompt shows them."""
    return "\n".join(document.page_content for document in found)


def chain(model: ChatOpenAI) -> Runnable[str, BaseMessage]:
    """Question to answer: retriever, prompt and model, in one chain and so in one trace."""
    return {"passages": Handbook() | joined, "question": RunnablePassthrough()} | PROMPT | model


if __name__ == "__main__":
    question = " ".join(sys.argv[1:]) or "How many days may I work from home?"
    print(chain(ChatOpenAI(model="support-large")).invoke(question).content)
