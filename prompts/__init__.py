"""Every text a model or a person reads: role prompts, and the words of the product in both languages."""

from prompts.errors import PromptError
from prompts.prompt import Prompt, part_of, render
from prompts.texts import Language, text
from prompts.words import Words

__all__ = ["Language", "Prompt", "PromptError", "Words", "part_of", "render", "text"]
