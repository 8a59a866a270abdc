"""OpenInference's instrumentation of LangChain."""

import langchain_calls
import recorder
from openinference.instrumentation.langchain import LangChainInstrumentor
from servers import openai

HIDDEN = {"OPENINFERENCE_HIDE_INPUTS": "true", "OPENINFERENCE_HIDE_OUTPUTS": "true"}

if __name__ == "__main__":
    recorder.main(
        "openinference_langchain",
        [
            "openinference-instrumentation-langchain",
            "openinference-instrumentation",
            "langchain",
            "langchain-core",
            "langchain-openai",
            "langgraph",
        ],
        openai.serve,
        langchain_calls.cases,
        prepare=LangChainInstrumentor().instrument,
        fresh={"chat_no_content": HIDDEN},
    )
