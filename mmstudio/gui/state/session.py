"""The window's state: all stores, each made with those that it needs."""

from __future__ import annotations

from PySide6.QtCore import QObject

from mmstudio.gui.state.advice import AdviceStore
from mmstudio.gui.state.comparison import ComparisonController
from mmstudio.gui.state.data_check import DataCheck
from mmstudio.gui.state.decisions import DecisionsStore
from mmstudio.gui.state.download_manager import DownloadManager
from mmstudio.gui.state.estimate import EstimateStore
from mmstudio.gui.state.explanation_store import ExplanationStore
from mmstudio.gui.state.findings import LabellingStore, ReviewStore
from mmstudio.gui.state.folds_store import FoldsStore
from mmstudio.gui.state.going_on import GoingOn
from mmstudio.gui.state.heavy_work import HeavyWork
from mmstudio.gui.state.interrupted import InterruptedRuns
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.libraries import Libraries
from mmstudio.gui.state.mending import Mending
from mmstudio.gui.state.predictor_store import PredictorStore
from mmstudio.gui.state.project_opener import ProjectOpener
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.queue_store import QueueStore
from mmstudio.gui.state.results import ResultsStore
from mmstudio.gui.state.run_again import RunAgain
from mmstudio.gui.state.run_curves import RunCurvesStore
from mmstudio.gui.state.run_files import RunFiles
from mmstudio.gui.state.runs_store import RunsStore
from mmstudio.gui.state.search_store import SearchController
from mmstudio.gui.state.similar import SimilarStore
from mmstudio.gui.state.table_predictions import TablePredictions
from mmstudio.gui.state.take_away import TakeAway
from mmstudio.gui.state.training import TrainingController


class Session(QObject):
    """Makes the stores, from below upwards, and ends them. Lives on the GUI thread.

    Pages and widgets take the stores that they show, never the session.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.jobs = jobs = JobRunner(self)
        self.libraries = libraries = Libraries(jobs)
        self.heavy = heavy = HeavyWork(jobs)
        self.project = project = ProjectStore(jobs, heavy)
        self.opener = ProjectOpener(jobs, libraries, heavy, project)
        self.runs = runs = RunsStore(jobs, heavy, project)
        self.interrupted = InterruptedRuns(jobs, project, runs)
        self.run_files = RunFiles(jobs, heavy, runs)
        self.run_curves = RunCurvesStore(jobs, project, runs)
        self.folds = FoldsStore(jobs, project)
        self.run_again = RunAgain(jobs, heavy, project)
        self.check = check = DataCheck(jobs, heavy, project)
        self.mending = Mending(jobs, project, check)
        self.models = models = DownloadManager(jobs, project)
        self.training = training = TrainingController(jobs, libraries, heavy, project, runs)
        self.going_on = GoingOn(jobs, heavy, project, runs, training, models)
        self.comparing = comparing = ComparisonController(
            jobs, libraries, heavy, project, runs, models)
        self.searching = SearchController(jobs, libraries, heavy, project, runs)
        self.queue = QueueStore(jobs, libraries, heavy, project, runs, comparing)
        self.testing = testing = PredictorStore(jobs, libraries, project, runs, training)
        self.similar = SimilarStore(jobs, testing)
        self.explaining = ExplanationStore(jobs, testing)
        self.tables = TablePredictions(jobs, libraries, heavy, testing)
        self.take_away = TakeAway(jobs, libraries, project)
        self.results = ResultsStore(jobs, libraries, heavy, project, runs)
        self.decisions = DecisionsStore(jobs, project, self.opener)
        self.reviewing = ReviewStore(jobs, libraries, heavy, project)
        self.labelling = LabellingStore(jobs, libraries, heavy, project, runs)
        self.advice = advice = AdviceStore(jobs, libraries, heavy, project, check)
        self.fit = EstimateStore(
            jobs, libraries, heavy, project, check, models, advice)

    def shutdown(self) -> None:
        """Stop all jobs and wait for them; a run in training keeps its model."""
        if self.jobs.closed:
            return
        self.jobs.close()
        self.project.save_pending()
        self.decisions.save_pending()
        self.libraries.release()
        self.jobs.wait()
