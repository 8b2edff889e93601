"""From samples to call trees and tables of times."""
