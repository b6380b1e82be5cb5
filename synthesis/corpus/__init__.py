"""A corpus of texts becomes pairs of question and answer by templates: closed-book training data without an LLM.

The method is that of Gholami and Omar (2023, arXiv 2310.07830): sentences are tagged, parsed and searched for names,
and templates turn what a sentence says of a name into a question for it. Their templates are not published; the recipe
is that of Fabbri et al. (2020, arXiv 2004.11892), with questions by dependency parse before those by cloze.
"""
