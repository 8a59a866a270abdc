"""A support agent on LangGraph that may look up and pays back only when asked. `python app.py "I want my money back for order 42"`."""

import sys
from typing import Any, Literal

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph

from truegreen.instrumentation import action, agent, branch, task

ORDERS = {"42": "Order 42 was delivered on Monday. It cost 30 EUR."}
APPROVED = ["look_up"]


@tool
def look_up(order: str) -> str:
    """What became of an order."""
    return ORDERS.get(order, "There is no such order.")


@tool
def pay_back(order: str) -> str:
    """Pay the price of an order back."""
    asked = input(f"Pay order {order} back? [y/N] ") == "y"
    action("pay_back", "approved" if asked else "denied")
    return "Paid." if asked else "The shop said no."


def right_way(state: MessagesState) -> str:
    """Where a question belongs, by a rule that is cheap and strict."""
    return "refund" if "money" in state["messages"][0].text.lower() else "question"


@branch(expected=right_way)
def route(state: MessagesState) -> Literal["refund", "question"]:
    """The first word of the triage model's answer is the way to go."""
    return "refund" if state["messages"][-1].text.lower().startswith("refund") else "question"


def graph(model: ChatOpenAI) -> Any:
    """Triage, then one of two agents."""

    def triage(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke([("system", "Answer with one word: refund or question."), *state["messages"]])]}

    made = StateGraph(MessagesState)
    made.add_node("triage", triage)
    made.add_node("refund", create_agent(model, [look_up, pay_back], name="refund"))
    made.add_node("question", create_agent(model, [look_up], name="question"))
    made.add_edge(START, "triage")
    made.add_conditional_edges("triage", route)
    made.add_edge("refund", END)
    made.add_edge("question", END)
    return made.compile(name="support")


def answer(model: ChatOpenAI, question: str) -> str:
    """One request: the user's task, and the agent's run for it."""
    with task("support"), agent("support", approved_tools=APPROVED):
        return str(graph(model).invoke({"messages": [HumanMessage(question)]})["messages"][-1].text)


if __name__ == "__main__":
    print(answer(ChatOpenAI(model="support-large"), " ".join(sys.argv[1:]) or "I want my money back for order 42"))
