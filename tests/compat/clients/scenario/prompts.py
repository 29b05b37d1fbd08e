"""Prompts, which clients since 2.21 keep as registered models of a special kind."""

from __future__ import annotations

import importlib
from typing import Any

import mlflow

from scenario.steps import Scene, equal, refused, step, truth


def prompt_calls(scene: Scene) -> Any:
    """Where this generation keeps its prompt calls."""
    return importlib.import_module("mlflow.genai") if scene.at_least("3.0") else mlflow


@step(since="2.21")
def prompt_life(scene: Scene) -> None:
    """Register two versions, load by number and by alias, fill in, delete the alias."""
    calls = prompt_calls(scene)
    name = scene.name("greeting").replace("-", "_")
    calls.register_prompt(name, "Hello {{who}}", commit_message="first", tags={"a": "1"})
    second = calls.register_prompt(name, "Hej {{who}}, välkommen!", commit_message="second")
    equal(int(second.version), 2)
    first = calls.load_prompt(f"prompts:/{name}/1")
    equal((first.template, first.commit_message), ("Hello {{who}}", "first"))
    equal(first.format(who="Ada"), "Hello Ada")
    alias_calls = mlflow if not scene.at_least("3.0") else calls
    alias_calls.set_prompt_alias(name, "live", 2)
    equal(calls.load_prompt(f"prompts:/{name}@live").template, "Hej {{who}}, välkommen!")
    equal(calls.load_prompt(name, version=1).template, "Hello {{who}}")
    alias_calls.delete_prompt_alias(name, "live")


@step(since="2.21")
def prompts_are_not_models(scene: Scene) -> None:
    """Searches for models leave prompts out, and a name belongs to one kind."""
    calls = prompt_calls(scene)
    stem = scene.name("kind").replace("-", "_")
    calls.register_prompt(f"{stem}_prompt", "Say {{x}}")
    client = scene.client
    client.create_registered_model(f"{stem}_model")
    models = [each.name for each in client.search_registered_models(f"name LIKE '{stem}%'")]
    equal(models, [f"{stem}_model"], "models found")
    versions = client.search_model_versions(f"name = '{stem}_prompt'")
    equal(len(versions), 0, "model versions of a prompt")
    with refused("RESOURCE_ALREADY_EXISTS", "INVALID_PARAMETER_VALUE"):
        client.create_registered_model(f"{stem}_prompt")
    with refused("RESOURCE_ALREADY_EXISTS", "INVALID_PARAMETER_VALUE"):
        calls.register_prompt(f"{stem}_model", "text")


@step(since="3.0")
def search_prompts(scene: Scene) -> None:
    """Prompts are found by name and tag, models are not among them."""
    stem = scene.name("seek").replace("-", "_")
    for number in range(3):
        prompt_calls(scene).register_prompt(
            f"{stem}_{number}", "t {{x}}", tags={"parity": str(number % 2)}
        )
    scene.client.create_registered_model(f"{stem}_model")
    found = [each.name for each in prompt_calls(scene).search_prompts(f"name LIKE '{stem}%'")]
    equal(sorted(found), [f"{stem}_{number}" for number in range(3)], "prompts found")


@step(since="3.0")
def prompt_tags(scene: Scene) -> None:
    """Tags of a prompt and of its version, set and removed."""
    client = scene.client
    name = scene.name("tagged").replace("-", "_")
    prompt_calls(scene).register_prompt(name, "Count to {{n}}")
    client.set_prompt_tag(name, "team", "stores")
    client.set_prompt_version_tag(name, "1", "tried", "yes")
    equal(client.get_prompt(name).tags.get("team"), "stores")
    equal(client.get_prompt_version(name, "1").tags.get("tried"), "yes")
    client.delete_prompt_tag(name, "team")
    client.delete_prompt_version_tag(name, "1", "tried")
    truth("team" not in client.get_prompt(name).tags, "the prompt's tag is gone")
    truth("tried" not in client.get_prompt_version(name, "1").tags, "the version's tag is gone")


@step(since="3.0")
def chat_prompt(scene: Scene) -> None:
    """A prompt of several messages comes back as messages."""
    name = scene.name("chat").replace("-", "_")
    messages = [
        {"role": "system", "content": "You are {{style}}."},
        {"role": "user", "content": "{{question}}"},
    ]
    prompt_calls(scene).register_prompt(name, messages)
    loaded = prompt_calls(scene).load_prompt(f"prompts:/{name}/1")
    equal(loaded.template, messages)
    filled = loaded.format(style="brief", question="Why?")
    equal([each["content"] for each in filled], ["You are brief.", "Why?"])


@step(since="3.0")
def delete_prompt(scene: Scene) -> None:
    """A prompt whose versions are gone can be deleted."""
    client = scene.client
    name = scene.name("leaving").replace("-", "_")
    prompt_calls(scene).register_prompt(name, "bye {{who}}")
    client.delete_prompt_version(name, "1")
    client.delete_prompt(name)
    equal([each.name for each in prompt_calls(scene).search_prompts(f"name = '{name}'")], [])
