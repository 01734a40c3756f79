"""Every text a model or a person reads: role prompts, and the words of the product in both languages."""

from prompts.errors import PromptError
from prompts.prompt import Prompt, render, system_text
from prompts.texts import Language, text
from prompts.words import Words

__all__ = ["Language", "Prompt", "PromptError", "Words", "render", "system_text", "text"]
