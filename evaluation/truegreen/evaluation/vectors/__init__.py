"""Where sketches of answers and questions can be kept for later questions: local files, Weaviate, Pinecone, behind one protocol."""
