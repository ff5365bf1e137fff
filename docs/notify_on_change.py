"""Make an automation in Prefect that calls a webhook when the verdict of an experiment changes.

Usage: python docs/notify_on_change.py EXPERIMENT WEBHOOK_URL
"""

import sys
from contextlib import suppress

from prefect.automations import Automation
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import EventTrigger

from flows.publish import artifact_key

experiment, url = sys.argv[1:]
name = f"verdict of {experiment} changed"

webhook = CustomWebhookNotificationBlock(name=name, url=url, json_data={"text": "{{subject}}\n{{body}}"})
block_document_id = webhook.save(artifact_key("verdict", experiment), overwrite=True)

with suppress(ValueError):  # there is none yet
    Automation.read(name=name).delete()
Automation(
    name=name,
    trigger=EventTrigger(
        expect={"latentlab.verdict"},
        match={"prefect.resource.id": f"latentlab.experiment.{experiment}", "latentlab.verdict.changed": "true"},
    ),
    actions=[
        SendNotification(
            block_document_id=block_document_id,
            subject=f"{experiment}: {{{{ event.payload.previous }}}} -> {{{{ event.payload.verdict }}}}",
            body="{{ event.payload.sentence }}\n{{ event.payload.mlflow_url }}",
        )
    ],
).create()
