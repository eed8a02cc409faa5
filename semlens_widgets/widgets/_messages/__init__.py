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
    neurons,
    traces,
)

MODULES = (kinds, neurons, audits, interventions, comparisons, evolutions, traces)
QUESTIONS = {
    **neurons.QUESTIONS,
    **audits.QUESTIONS,
    **interventions.QUESTIONS,
    **comparisons.QUESTIONS,
    **evolutions.QUESTIONS,
    **traces.QUESTIONS,
}
ACTIONS = {**neurons.ACTIONS, **audits.ACTIONS, **interventions.ACTIONS, **traces.ACTIONS}
