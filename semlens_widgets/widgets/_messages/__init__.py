"""What the browser asks a widget, and what the kernel answers: one declaration for both sides.

``js/messages.py`` writes ``js/src/source/messages.ts`` from the modules here, which say what is
asked and done of what they are about. What travels beside an answer as binary buffers, the handlers
say.
"""

from __future__ import annotations

from semlens_widgets.widgets._messages import (
    audits,
    comparisons,
    evolutions,
    interventions,
    kinds,
    labels,
    neurons,
    reviews,
    traces,
)

MODULES = (
    kinds,
    neurons,
    labels,
    audits,
    interventions,
    comparisons,
    evolutions,
    reviews,
    traces,
)
QUESTIONS = {
    **neurons.QUESTIONS,
    **labels.QUESTIONS,
    **audits.QUESTIONS,
    **interventions.QUESTIONS,
    **comparisons.QUESTIONS,
    **reviews.QUESTIONS,
    **evolutions.QUESTIONS,
    **traces.QUESTIONS,
}
ACTIONS = {
    **labels.ACTIONS,
    **audits.ACTIONS,
    **interventions.ACTIONS,
    **reviews.ACTIONS,
    **traces.ACTIONS,
}
